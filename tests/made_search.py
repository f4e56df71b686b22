"""A search whose trials are made in an instant: trainings as far as a search sees them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.storage import write_json
from leukoscope.study import search
from leukoscope.study.objectives import OBJECTIVES
from leukoscope.study.search import SearchPlan
from leukoscope.study.space import Range
from leukoscope.study.trials import RanTrial, Trial, TrialLedger
from leukoscope.training.runs import TrainingRuns

if TYPE_CHECKING:
    import optuna

SPACE = {
    "training.learning_rate": Range(log=(1e-5, 1e-1)),
    "training.dropout": Range(float=(0.0, 0.8)),
    "training.batch_size": Range(choice=(8, 16, 32)),
    "training.warmup_epochs": Range(int=(0, 6)),
}


def plan_made(**facts) -> SearchPlan:
    """Plan a search of made trials."""
    usual = {"entry": "vgg16", "split": "holdout", "name": "vgg16-made", "space": SPACE, "trials": 12, "seed": 1}
    usual |= {"objectives": ("validation_loss",), "pruner": "none", "epochs": 9, "identify": fingerprint_facts}
    return SearchPlan(**(usual | facts))


def lose(values) -> float:
    """Give the loss of a trial: least at a learning rate of 0.001, a dropout of 0.3, batches of 16 and two epochs."""
    from math import log10

    distance = (log10(values["training.learning_rate"]) + 3) ** 2 + 10 * (values["training.dropout"] - 0.3) ** 2
    return distance + (values["training.batch_size"] != 16) + 0.3 * abs(values["training.warmup_epochs"] - 2)


class MadeTrials:
    """Stands in for processes: each trial leaves a training and its scores.

    Attributes:
        ran: The trials that were trained, in order.

    Args:
        ledger: Of the trainings.
        failing: Says why a trial fails; ``None`` where it does not.
        stop_in: In which trial, from 1, the search is cut off; ``None``: in none.
        epochs: Of each training, all of which are shown one by one.
        score: Gives figures beyond the loss.
    """

    def __init__(
        self,
        ledger: TrialLedger,
        failing: Callable[[Trial], str | None] = lambda trial: None,
        stop_in: int | None = None,
        epochs: int = 2,
        **scores: float,
    ) -> None:
        self._ledger, self._failing, self._stop_in = ledger, failing, stop_in
        self._epochs, self._scores = epochs, scores
        self.ran: list[Trial] = []

    def run(self, trials: Iterable[Trial]) -> Iterator[RanTrial]:
        for trial in trials:
            found = self._ledger.find(trial)
            if found is not None:
                yield RanTrial(trial, found, None, 0.0)
                continue
            if trial.number == self._stop_in:
                raise KeyboardInterrupt
            self.ran.append(trial)
            reason = self._failing(trial)
            pruned = reason is None and not self.make(trial)
            scored = None if reason or pruned else self._ledger.mark(trial, 2.0)
            yield RanTrial(trial, scored, reason, 2.0)

    def make(self, trial: Trial) -> bool:
        """Leave what a trial's own command would; tell whether it came to its end."""
        key = {"recipe": dict(trial.values), "split": trial.split, "engine": {}}
        journal = TrainingRuns(self._ledger.home / trial.entry).start(key).journal
        for epoch in range(1, self._epochs + 1):
            loss = lose(trial.values) + 1 / epoch
            journal.keep(epoch, loss, Path.touch, Path.touch)
            journal.append({"epoch": epoch, "train_loss": 1.0, "validation_loss": loss, "validation_accuracy": 0.5})
            if trial.is_hopeless(journal.history()):
                return False
        journal.finish({"epochs": self._epochs}, Path.touch)
        journal.record_model(trial.identity)
        scores = dict.fromkeys(OBJECTIVES, 0.5) | {"validation_loss": lose(trial.values)} | self._scores
        facts = {"model": trial.identity, "scores": scores}
        write_json(self._ledger.outputs / trial.entry / "validation_scores.json", facts)
        return True


def run_search(*given: Any) -> "optuna.Study":
    """Run a search to its end."""
    *_, study = search.run_search(*given)
    return study


def make_ledger(root: Path) -> TrialLedger:
    """Make the ledger of made trials."""
    return TrialLedger(root / "06_models", root / "07_model_output", root / "search")
