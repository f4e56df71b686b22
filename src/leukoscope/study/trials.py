"""The trainings of a search: what determines each, where it runs, and what is stored of it."""

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
        number: Number of the trial in the search, from 1.
        entry: The model's name.
        split: The name of the split among the folders of the model.
        values: The drawn parameters, by dotted names.
        identity: A hash of everything that determines its result.
        is_hopeless: Decides from the epochs so far whether to end the trial.
    """

    number: int
    entry: str
    split: str
    values: Mapping[str, Any]
    identity: str
    is_hopeless: Callable[[pd.DataFrame], bool] = field(default=_is_never_hopeless, compare=False)

    def __str__(self) -> str:
        """Return its name for messages."""
        return f"{self.entry}, trial {self.number}"


class Scored(NamedTuple):
    """Facts about a training that was evaluated on validation images.

    Attributes:
        place: The training's folder, relative to the model's.
        scores: The value of each objective.
        seconds: Duration of training and evaluation.
    """

    place: str
    scores: dict[str, float | None]
    seconds: float


class RanTrial(NamedTuple):
    """A trial that was run.

    Attributes:
        trial: The trial.
        scored: The result; ``None`` if the trial failed or was ended early.
        reason: Why the trial failed, in one line; ``None`` if it did not.
        seconds: Duration of the trial.
    """

    trial: Trial
    scored: Scored | None
    reason: str | None
    seconds: float


class TrialPlace(Protocol):
    """Where trials run: this machine, or others that see the same files."""

    def run(self, trials: Iterable[Trial]) -> Iterator[RanTrial]:
        """Run trials, and yield each as soon as it has ended; the next trial is drawn only after that."""
        ...


class TrialLedger:
    """Finds trainings evaluated for a search among all trainings of a model, and marks new ones.

    Args:
        home: The folder that has a folder for each model.
        outputs: The folder that has a folder for each model's predictions.
        folder: The folder of the search, with its storage and the output of trials.
    """

    def __init__(self, home: Path, outputs: Path, folder: Path) -> None:
        self.home = Path(home)
        self.outputs = Path(outputs)
        self.folder = Path(folder)

    def find(self, trial: Trial) -> Scored | None:
        """Find the training of a trial, if it is finished and evaluated."""
        for file in sorted((self.home / trial.entry / trial.split / "runs").glob(f"*/{_MARK}")):
            facts = _read(file)
            is_own = facts.get("trial") == trial.identity and _has_scores(facts)
            if is_own and TrainingJournal(file.parent).finished:
                return self._tell(trial, file.parent, facts)
        return None

    def mark(self, trial: Trial, seconds: float) -> Scored:
        """Mark the current training as a trial that has just been trained and evaluated.

        Raises:
            InputError: The current training is another one, or was not evaluated.
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
        """Return a stamp of when the model's current training was last set; ``None`` if it never was."""
        with suppress(FileNotFoundError):
            facts = (self.home / trial.entry / POINTER).stat()
            return facts.st_mtime_ns, facts.st_ino
        return None

    def look(self, trial: Trial) -> pd.DataFrame:
        """Read the epochs so far of the current training; empty if it is finished, or just being written."""
        with suppress(InputError, OSError):
            folder = read_pointer(self.home / trial.entry)
            if folder is not None and not TrainingJournal(folder).finished:
                return TrainingJournal(folder).history()
        return pd.DataFrame()

    def name_log(self, trial: Trial) -> Path:
        """Return the log file of a trial."""
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
    """Check whether the training with a key used the given parameters, by dotted names."""
    drawn = nest(values)
    recipes = [(key.get(name, {}), drawn.get(part, {})) for name, part in _PARTS_OF_KEY]
    # For null, the key has the architecture's own value, or null.
    return all(
        own[field] == value
        for own, given in recipes
        for field, value in given.items()
        if field in own and value is not None
    )


def _read(file: Path) -> dict[str, Any]:
    """Read facts; return none if they are damaged, so that the training is evaluated anew."""
    try:
        facts = read_json(file)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _has_scores(facts: Mapping[str, Any]) -> bool:
    """Check whether all metrics are present; facts of another version may lack some."""
    scores = facts.get("scores")
    return isinstance(scores, dict) and scores.keys() >= OBJECTIVES.keys()


class TrialProcesses:
    """Runs one trial after another, each by a separate command.

    Args:
        nodes: The nodes that train the model and score it on validation images.
        pipelines: The pipelines that contain the nodes, separated by commas.
        session: The session options of the search, which its trials share except for their values.
        ledger: The ledger of the trainings.
        parent: The MLflow run of the search.
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
        """Run trials that were not trained and evaluated before, and yield each when it has ended."""
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
        """Run a trial's command; return the reason if it did not finish."""
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
        """Wait until no other process trains the model: a killed search may have left its trial running."""
        home = self._ledger.home / trial.entry
        try:
            with hold(home):
                return
        except InputError:
            logger.warning("Another run is training %s in %s: the search waits for its end", trial.entry, home)
        with hold(home, wait=True):
            return

    def describe(self, trial: Trial) -> dict[str, Any]:
        """Return the options of a trial's command for ``kedro run --config``."""
        given = {name: value for name, value in self._session.given.items() if name != "search"}
        options = {
            "env": self._session.env,
            "conf_source": self._session.source,
            "pipelines": self._pipelines,
            "node_names": ",".join(self._nodes),
            "params": give_values(given, trial.entry, trial.values),
        }
        return {name: value for name, value in options.items() if value is not None}
