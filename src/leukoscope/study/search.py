"""A search of hyperparameters: which values are tried next, and what came of those that were."""

import logging
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError, shorten
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.storage import hold
from leukoscope.study.objectives import OBJECTIVES, select
from leukoscope.study.space import Choice, Space
from leukoscope.study.trials import RanTrial, Trial, TrialLedger, TrialPlace

if TYPE_CHECKING:
    import optuna
    from optuna import Study
else:
    # Kedro resolves the hints of nodes when a session starts, which must not have to import Optuna.
    Study = Any

logger = logging.getLogger(__name__)

_FILE = "trials.log"
# With fewer trials TPE draws at random.
_STARTUP = 8
# So many epochs each trial has; Hyperband gives it a ninth of all, if that is more.
_LEAST_EPOCHS = 2
_WORKER = "worker"


@dataclass(frozen=True)
class SearchPlan:
    """All that determines a search.

    Attributes:
        entry: The model's name.
        split: The name of the split among the folders of the model.
        name: Of the study in the storage: the entry's, with a hash of all that determines its trials.
        space: The ranges.
        objectives: What is looked for, some of ``OBJECTIVES``.
        trials: How many are to have ended.
        pruner: ``hyperband``, ``median`` or ``none``.
        epochs: The most that a trial can have.
        seed: For what is drawn.
        identify: Hashes what determines the training with some values.
    """

    entry: str
    split: str
    name: str
    space: Space
    objectives: tuple[str, ...]
    trials: int
    pruner: str
    epochs: int
    seed: int
    identify: Callable[[Mapping[str, Choice]], str]


def require_optuna() -> None:
    """Make sure that Optuna is there; loads nothing.

    Raises:
        InputError: It is not.
    """
    if find_spec("optuna") is None:
        raise InputError(
            "The pipeline search needs Optuna, which is not installed. Install it, as with "
            "`pip install -c requirements.lock -e '.[search]'`. Nothing was run."
        )


def run_search(
    plan: SearchPlan, ledger: TrialLedger, place: TrialPlace, storage: str | None = None
) -> Iterator["optuna.Study"]:
    """Run what is missing of a search, and show it at its beginning and after each trial.

    Args:
        plan: Of the search.
        ledger: Of the trainings, which says where the storage is.
        place: Where trials run.
        storage: The URL of a database in the place of the file.

    Returns:
        The study of Optuna's, with all its trials so far, again and again the same.

    Raises:
        InputError: Another run searches here, or the storage cannot be used.
    """
    with hold(ledger.folder / _FILE):
        study = open_study(plan, ledger.folder, storage)
        search = Search(plan, study, str(ledger.home.absolute()), is_shared=storage is not None)
        logger.info("The search has %d trials, of which %d have ended", plan.trials, search.ended)
        yield study
        for ran in place.run(search.draw()):
            search.tell(ran, ledger)
            yield study


def open_study(plan: SearchPlan, folder: Path, storage: str | None = None) -> "optuna.Study":
    """Open the study of a search, which may have trials of before.

    Args:
        plan: Of the search.
        folder: Where the file is.
        storage: The URL of a database in the place of the file.

    Raises:
        InputError: The file or the database cannot be used.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    where = storage or str(folder / _FILE)
    try:
        with _quietly():
            return optuna.create_study(
                study_name=plan.name,
                storage=optuna.storages.RDBStorage(storage) if storage else _open_file(folder / _FILE),
                pruner=_make_pruner(plan),
                directions=[OBJECTIVES[name].direction for name in plan.objectives],
                load_if_exists=True,
            )
    except Exception as error:  # of SQLAlchemy, of drivers that are not installed, of JSON, of the disk
        told = shorten(" ".join(str(error).split()) or type(error).__name__)
        mend = "Mend search.storage" if storage else "Remove it: the search begins anew, and trains nothing twice"
        raise InputError(f"The trials of the search in {where} cannot be read: {told}. {mend}.") from error


def _open_file(file: Path) -> "optuna.storages.JournalStorage":
    """Open the file of trials, without the half line that a killed run may have left at its end."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    file.parent.mkdir(parents=True, exist_ok=True)
    content = file.read_bytes() if file.is_file() else b""
    if content and not content.endswith(b"\n"):
        with file.open("r+b") as whole:
            whole.truncate(content.rfind(b"\n") + 1)
    return JournalStorage(JournalFileBackend(str(file)))


def _make_pruner(plan: SearchPlan) -> "optuna.pruners.BasePruner":
    from optuna import pruners

    if plan.pruner == "hyperband" and len(plan.objectives) == 1:
        least = min(max(_LEAST_EPOCHS, -(-plan.epochs // 9)), plan.epochs)
        return pruners.HyperbandPruner(min_resource=least, max_resource=plan.epochs, reduction_factor=3)
    if plan.pruner == "median" and len(plan.objectives) == 1:
        return pruners.MedianPruner(n_warmup_steps=_LEAST_EPOCHS - 1)
    return pruners.NopPruner()


def make_sampler(seed: int, number: int) -> "optuna.samplers.BaseSampler":
    """Make what draws the values of one trial.

    Of each trial it is a new one, seeded by its number: a search that was cut off goes on as it would have.

    Args:
        seed: Of the search.
        number: Of the trial.
    """
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=_STARTUP, seed=int(fingerprint_facts([seed, number]), 16) % 2**32)


class Search:
    """Draws trials and takes what came of them.

    Args:
        plan: Of the search.
        study: Of Optuna's.
        home: What is trained here, as opposed to on other machines that share the study.
        is_shared: Whether there can be such machines.
    """

    def __init__(self, plan: SearchPlan, study: "optuna.Study", home: str, is_shared: bool = False) -> None:
        self.plan = plan
        self.study = study
        self._is_shared = is_shared
        self._worker = fingerprint_facts([platform.node(), home])
        self._open: dict[int, optuna.Trial] = {}

    @property
    def ended(self) -> int:
        """How many trials have ended, in whatever way."""
        return sum(trial.state.is_finished() for trial in self.study.get_trials(deepcopy=False))

    def draw(self) -> Iterator[Trial]:
        """Draw trials until as many have ended as are wanted: first those that were cut off, then new ones."""
        while self.ended < self.plan.trials:
            drawn = self._take_up() or self._draw_new()
            values = {name: values.draw(name, drawn) for name, values in self.plan.space.items()}
            self._open[drawn.number] = drawn
            yield Trial(
                drawn.number + 1,
                self.plan.entry,
                self.plan.split,
                values,
                self.plan.identify(values),
                lambda history, drawn=drawn: self._is_hopeless(drawn, history),  # type: ignore[misc]
            )

    def _take_up(self) -> "optuna.Trial | None":
        """Take up a trial that a run here did not end."""
        import optuna

        for left in self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            is_own = not self._is_shared or left.user_attrs.get(_WORKER) == self._worker
            if left.number not in self._open and is_own:
                self.study.sampler = make_sampler(self.plan.seed, left.number)
                return optuna.Trial(self.study, left._trial_id)
        return None

    def _draw_new(self) -> "optuna.Trial":
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = make_sampler(self.plan.seed, number)
        drawn = self.study.ask()
        drawn.set_user_attr(_WORKER, self._worker)
        return drawn

    def _is_hopeless(self, drawn: "optuna.Trial", history: pd.DataFrame) -> bool:
        """Report epochs that have not been yet, and ask the pruner of each."""
        if len(self.plan.objectives) > 1 or history.empty:
            return False
        sign = 1 if OBJECTIVES[self.plan.objectives[0]].direction == "minimize" else -1
        known = self.study._storage.get_trial(drawn._trial_id).intermediate_values
        for row in history.itertuples():
            if int(row.epoch) in known:
                continue
            drawn.report(sign * float(row.validation_loss), int(row.epoch))
            # After the last epoch there is nothing left to spare.
            if row.epoch < self.plan.epochs and drawn.should_prune():
                return True
        return False

    def tell(self, ran: RanTrial, ledger: TrialLedger) -> None:
        """Take what came of a trial."""
        from optuna.trial import TrialState

        drawn = self._open.pop(ran.trial.number - 1)
        facts: dict[str, Any] = {"seconds": ran.seconds, "reason": ran.reason or ""}
        values: Sequence[float] | None = None
        if ran.scored is not None:
            facts |= {"seconds": ran.scored.seconds, "run": ran.scored.place, "scores": ran.scored.scores}
            history = ledger.load_history(ran.trial, ran.scored.place)
            facts["epochs"] = len(history)
            self._is_hopeless(drawn, history)
            try:
                values = select(ran.scored.scores, self.plan.objectives)
            except ValueError as error:
                facts["reason"] = str(error)
        for name, value in facts.items():
            drawn.set_user_attr(name, value)
        ended = TrialState.COMPLETE if values else TrialState.FAIL if facts["reason"] else TrialState.PRUNED
        self.study.tell(drawn, values, state=ended)
        self._log(ran, values, facts["reason"])

    def _log(self, ran: RanTrial, values: Sequence[float] | None, reason: str) -> None:
        if values:
            words = ", ".join(f"{name} {value:.4g}" for name, value in zip(self.plan.objectives, values, strict=True))
        else:
            words = f"failed: {reason}" if reason else "pruned"
        left = self.plan.trials - self.ended
        logger.info(
            "%s after %.0f s: %s; %s left",
            ran.trial,
            ran.seconds,
            words,
            count_of(max(left, 0), "trial is", "trials are"),
        )


@contextmanager
def _quietly() -> Iterator[None]:
    """Leave out what Optuna says of parts that it may change."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
