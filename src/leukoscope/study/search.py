"""Search hyperparameters: choose the values to try next, and record the results of earlier trials."""

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
# Minimum epochs of each trial; Hyperband grants a ninth of all epochs, if that is more.
_LEAST_EPOCHS = 2
_WORKER = "worker"


@dataclass(frozen=True)
class SearchPlan:
    """Everything that determines a search.

    Attributes:
        entry: The model's name.
        split: The name of the split among the folders of the model.
        name: Name of the study in the storage: the entry's name with a hash of all that determines its trials.
        space: The ranges of the parameters.
        objectives: The objectives to optimise, a selection of ``OBJECTIVES``.
        trials: Number of trials to complete.
        pruner: ``hyperband``, ``median`` or ``none``.
        epochs: Maximum number of epochs of a trial.
        seed: Seed of the draws.
        identify: Hashes what determines the training with given values.
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
    """Check that Optuna is installed, without importing it.

    Raises:
        InputError: Optuna is not installed.
    """
    if find_spec("optuna") is None:
        raise InputError(
            "The pipeline search needs Optuna, which is not installed. Install it, as with "
            "`pip install -c requirements.lock -e '.[search]'`. Nothing was run."
        )


def run_search(
    plan: SearchPlan, ledger: TrialLedger, place: TrialPlace, storage: str | None = None
) -> Iterator["optuna.Study"]:
    """Run the remaining trials of a search, yielding the study at the beginning and after each trial.

    Args:
        plan: The plan of the search.
        ledger: The ledger of the trainings, which determines where the storage is.
        place: Where trials run.
        storage: The URL of a database to use instead of the file.

    Returns:
        The same Optuna study each time, with all its trials so far.

    Raises:
        InputError: Another run is searching here, or the storage is unusable.
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
    """Open the study of a search, which may contain earlier trials.

    Args:
        plan: The plan of the search.
        folder: The folder of the file.
        storage: The URL of a database to use instead of the file.

    Raises:
        InputError: The file or the database is unusable.
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
    except Exception as error:  # from SQLAlchemy, missing drivers, JSON or the disk
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
    """Make the sampler of the values of one trial.

    Each trial has a new sampler seeded by its number, so that an interrupted search continues as it would have.

    Args:
        seed: Seed of the search.
        number: Number of the trial.
    """
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=_STARTUP, seed=int(fingerprint_facts([seed, number]), 16) % 2**32)


class Search:
    """Draws trials and records their results.

    Args:
        plan: The plan of the search.
        study: The Optuna study.
        home: The folder of trainings, which tells this worker from others on machines that share the study.
        is_shared: Whether other machines may share the study.
    """

    def __init__(self, plan: SearchPlan, study: "optuna.Study", home: str, is_shared: bool = False) -> None:
        self.plan = plan
        self.study = study
        self._is_shared = is_shared
        self._worker = fingerprint_facts([platform.node(), home])
        self._open: dict[int, optuna.Trial] = {}

    @property
    def ended(self) -> int:
        """Number of trials that have ended, in any way."""
        return sum(trial.state.is_finished() for trial in self.study.get_trials(deepcopy=False))

    def draw(self) -> Iterator[Trial]:
        """Draw trials until the planned number has ended: first interrupted trials, then new ones."""
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
        """Resume a trial that an earlier run here did not finish."""
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
        """Report new epochs, and ask the pruner about each."""
        if len(self.plan.objectives) > 1 or history.empty:
            return False
        sign = 1 if OBJECTIVES[self.plan.objectives[0]].direction == "minimize" else -1
        known = self.study._storage.get_trial(drawn._trial_id).intermediate_values
        for row in history.itertuples():
            if int(row.epoch) in known:
                continue
            drawn.report(sign * float(row.validation_loss), int(row.epoch))
            # Pruning after the last epoch would save nothing.
            if row.epoch < self.plan.epochs and drawn.should_prune():
                return True
        return False

    def tell(self, ran: RanTrial, ledger: TrialLedger) -> None:
        """Record the result of a trial."""
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
    """Suppress Optuna's warnings about experimental features."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
