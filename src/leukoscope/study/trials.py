"""The trainings of a search: what determines each, where it runs, and what is kept of it."""

import logging
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.session import Session
from leukoscope.core.storage import hold, read_json, write_json
from leukoscope.study.commands import explain_end, make_environment, run_command
from leukoscope.study.objectives import OBJECTIVES
from leukoscope.study.space import give_values, nest
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.pointer import POINTER, read_pointer

logger = logging.getLogger(__name__)

_MARK = "trial.json"
_SECONDS_BETWEEN_LOOKS = 1.0
_PRUNED = "pruned"
_PARTS_OF_KEY = (("recipe", "training"), ("augmentation", "augmentation"))


def _is_never_hopeless(history: pd.DataFrame) -> bool:
    return False


@dataclass(frozen=True)
class Trial:
    """One training with its evaluation on validation images.

    Attributes:
        number: Among the trials of the search, from 1.
        entry: The model's name.
        split: The name of the split among the folders of the model.
        values: The parameters that were drawn, by dotted names.
        identity: A hash of all that determines what comes of it.
        is_hopeless: Is shown the epochs so far, and says whether to end it.
    """

    number: int
    entry: str
    split: str
    values: Mapping[str, Any]
    identity: str
    is_hopeless: Callable[[pd.DataFrame], bool] = field(default=_is_never_hopeless, compare=False)

    def __str__(self) -> str:
        """Name it in messages."""
        return f"{self.entry}, trial {self.number}"


class Scored(NamedTuple):
    """What is known of a training that was evaluated on validation images.

    Attributes:
        place: Its folder, within the model's.
        scores: A figure for each objective.
        seconds: How long training and evaluation took.
    """

    place: str
    scores: dict[str, float | None]
    seconds: float


class RanTrial(NamedTuple):
    """A trial that was run.

    Attributes:
        trial: Which.
        scored: What came of it; ``None`` where it failed or was ended before.
        reason: Why it failed, in one line; ``None`` where it did not.
        seconds: How long it took.
    """

    trial: Trial
    scored: Scored | None
    reason: str | None
    seconds: float


class TrialPlace(Protocol):
    """Where trials run: this machine, or others that see the same files."""

    def run(self, trials: Iterable[Trial]) -> Iterator[RanTrial]:
        """Run trials, and tell of each as soon as it has ended; the next is drawn after the one before was told of."""
        ...


class TrialLedger:
    """Finds trainings that were evaluated for a search among all of a model, and marks what has just been.

    Args:
        home: The folder that has a folder for each model.
        outputs: The folder that has a folder for each model's predictions.
        folder: Of the search: where its storage is, and what trials print.
    """

    def __init__(self, home: Path, outputs: Path, folder: Path) -> None:
        self.home = Path(home)
        self.outputs = Path(outputs)
        self.folder = Path(folder)

    def find(self, trial: Trial) -> Scored | None:
        """Find the training that a trial is, if it is finished and was evaluated."""
        for file in sorted((self.home / trial.entry / trial.split / "runs").glob(f"*/{_MARK}")):
            facts = _read(file)
            is_own = facts.get("trial") == trial.identity and _has_scores(facts)
            if is_own and TrainingJournal(file.parent).finished:
                return self._tell(trial, file.parent, facts)
        return None

    def mark(self, trial: Trial, seconds: float) -> Scored:
        """Mark the training that is at work as a trial which has just been trained and evaluated.

        Raises:
            InputError: What is at work is another training, or was not evaluated.
        """
        folder = read_pointer(self.home / trial.entry)
        facts = _read(self.outputs / trial.entry / "validation_scores.json")
        is_scored = folder is not None and _has_scores(facts) and facts.get("model") == TrainingJournal(folder).model
        if folder is None or not is_scored or not self._is_of(trial, folder):
            raise InputError(
                f"Nothing whole was left of {trial}: another run may have trained {trial.entry} meanwhile. Let it end; "
                f"then the same command goes on."
            )
        facts = {"trial": trial.identity, "scores": facts["scores"], "seconds": seconds}
        write_json(folder / _MARK, facts)
        return self._tell(trial, folder, facts)

    def load_history(self, trial: Trial, place: str) -> pd.DataFrame:
        """Read the epochs of a training."""
        return TrainingJournal(self.home / trial.entry / place).history()

    def stamp(self, trial: Trial) -> tuple[int, int] | None:
        """Tell when a training of the model was last put to work; ``None`` if none ever was."""
        with suppress(FileNotFoundError):
            facts = (self.home / trial.entry / POINTER).stat()
            return facts.st_mtime_ns, facts.st_ino
        return None

    def look(self, trial: Trial) -> pd.DataFrame:
        """Read the epochs so far of the training at work; no row where it is finished, or just being written."""
        with suppress(InputError, OSError):
            folder = read_pointer(self.home / trial.entry)
            if folder is not None and not TrainingJournal(folder).finished:
                return TrainingJournal(folder).history()
        return pd.DataFrame()

    def name_log(self, trial: Trial) -> Path:
        """Name the file of what a trial prints."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{trial.entry}-trial-{trial.number}.log"

    @staticmethod
    def _is_of(trial: Trial, folder: Path) -> bool:
        journal = TrainingJournal(folder)
        return journal.finished and folder.parts[-3] == trial.split and has_values(journal.key, trial.values)

    def _tell(self, trial: Trial, folder: Path, facts: dict[str, Any]) -> Scored:
        place = folder.relative_to(self.home / trial.entry).as_posix()
        return Scored(place, dict(facts["scores"]), float(facts.get("seconds", 0.0)))


def has_values(key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Tell whether a training of some key was made with some parameters, by dotted names."""
    drawn = nest(values)
    recipes = [(key.get(name, {}), drawn.get(part, {})) for name, part in _PARTS_OF_KEY]
    # Of null the key has what the architecture or nothing stands for.
    return all(
        own[field] == value
        for own, given in recipes
        for field, value in given.items()
        if field in own and value is not None
    )


def _read(file: Path) -> dict[str, Any]:
    """Read facts; none where they are damaged, so that the training is evaluated anew."""
    try:
        facts = read_json(file)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _has_scores(facts: Mapping[str, Any]) -> bool:
    """Tell whether all figures are there: of another version some may not be."""
    scores = facts.get("scores")
    return isinstance(scores, dict) and scores.keys() >= OBJECTIVES.keys()


class TrialProcesses:
    """Runs one trial after another, each by a command of its own.

    Args:
        nodes: Those that train the model, and score it on validation images.
        pipelines: That have them, with commas between.
        session: Of the search: its trials are given the same, but for their values.
        ledger: Knows the trainings.
        parent: MLflow's run of the search.
    """

    def __init__(
        self, nodes: Sequence[str], pipelines: str, session: Session, ledger: TrialLedger, parent: str | None = None
    ) -> None:
        self._nodes = list(nodes)
        self._pipelines = pipelines
        self._session = session
        self._ledger = ledger
        self._parent = parent

    def run(self, trials: Iterable[Trial]) -> Iterator[RanTrial]:
        """Run trials that were not trained and evaluated before, and tell of each when it has ended."""
        for trial in trials:
            began = time.monotonic()
            found = self._ledger.find(trial)
            if found is not None:
                yield RanTrial(trial, found, None, 0.0)
                continue
            reason = self._run(trial, self._ledger.name_log(trial))
            seconds = time.monotonic() - began
            try:
                scored = None if reason else self._ledger.mark(trial, seconds)
            except InputError as error:
                scored = None
                reason = error.message
            yield RanTrial(trial, scored, None if reason == _PRUNED else reason, seconds)

    def _run(self, trial: Trial, log: Path) -> str | None:
        """Run a trial's command; say why it did not come to its end, if so."""
        self._wait_for_others(trial)
        before = self._ledger.stamp(trial)
        pruned = []

        def wait(process: subprocess.Popen[bytes]) -> int:
            while True:
                try:
                    return process.wait(_SECONDS_BETWEEN_LOOKS)
                except subprocess.TimeoutExpired:
                    if self._ledger.stamp(trial) != before and trial.is_hopeless(self._ledger.look(trial)):
                        pruned.append(True)
                        return 0

        environment = make_environment(self._parent, str(trial))
        code = run_command(self.describe(trial), log, self._session.project, environment, wait)
        if code == 0:
            log.unlink(missing_ok=True)
        if pruned:
            return _PRUNED
        return None if code == 0 else explain_end(code, log)

    def _wait_for_others(self, trial: Trial) -> None:
        """Wait until nobody else trains the model: a search that was killed may have left its trial at work."""
        home = self._ledger.home / trial.entry
        try:
            with hold(home):
                return
        except InputError:
            logger.warning("Another run is training %s in %s: the search waits for its end", trial.entry, home)
        with hold(home, wait=True):
            return

    def describe(self, trial: Trial) -> dict[str, Any]:
        """Give the options of a trial's command, as ``kedro run --config`` takes them."""
        given = {name: value for name, value in self._session.given.items() if name != "search"}
        options = {
            "env": self._session.env,
            "conf_source": self._session.source,
            "pipelines": self._pipelines,
            "node_names": ",".join(self._nodes),
            "params": give_values(given, trial.entry, trial.values),
        }
        return {name: value for name, value in options.items() if value is not None}
