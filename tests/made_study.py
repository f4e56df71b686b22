"""A study whose units are made in an instant: trainings as far as a study sees them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.datasets import EvaluationRecordsDataset
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.pipelines.evaluation.records import keep_evaluation
from leukoscope.pipelines.splitting.nodes import assign_splits
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.study.ledger import Ledger
from leukoscope.study.nested import Choice
from leukoscope.study.plan import Plan, Unit, make_plan
from leukoscope.study.running import run_units
from leukoscope.study.space import nest
from leukoscope.study.unit import Outcome, _explain
from leukoscope.training.runs import TrainingRuns


class MadeUnits:
    """Stands in for processes: each unit leaves a training and its evaluation.

    Attributes:
        ran: The units that were run, in order.

    Args:
        home: The folder of all models.
        manifest: All images.
        class_names: The classes in order.
        accuracy: Of each model.
        failing: Says why a unit fails; ``None`` where it does not.
        colour: The accuracy of stain colour alone; ``None`` where it was not judged.
        choosing: Gives the hyper-parameters that a search within a unit chooses; ``None``: none is within.
        stop_after: After how many units the study is cut off; ``None``: not at all.
    """

    def __init__(
        self,
        home: Path,
        manifest: pd.DataFrame,
        class_names: Sequence[str],
        accuracy: dict[str, float],
        failing: Callable[[Unit], str | None] = lambda unit: None,
        stop_after: int | None = None,
        colour: float | None = None,
        choosing: Callable[[Unit], dict[str, Any]] | None = None,
    ) -> None:
        self._home, self._manifest, self._class_names = home, manifest, list(class_names)
        self._accuracy, self._failing, self._stop_after = accuracy, failing, stop_after
        self._colour, self._choosing = colour, choosing
        self.ran: list[Unit] = []

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        for unit in units:
            if self._stop_after is not None and len(self.ran) >= self._stop_after:
                raise KeyboardInterrupt
            self.ran.append(unit)
            reason = self._failing(unit)
            yield self._conclude(unit) if reason is None else Outcome(unit, None, reason, 2.0)

    def _conclude(self, unit: Unit) -> Outcome:
        self.make(unit)
        try:
            choice = Choice(self._choosing(unit), frozenset()) if self._choosing else None
            return Outcome(unit, Ledger(self._home, self._home).mark(unit, 2.0, choice=choice), "", 2.0)
        except Exception as error:
            return Outcome(unit, None, _explain(error), 2.0)

    def make(self, unit: Unit) -> None:
        """Leave what a unit's own command would."""
        splitting = SplittingOptions(fold=f"{unit.fold} of {unit.folds}")
        made = assign_splits(self._manifest, splitting, unit.seed)
        key = {"architecture": "tiny", "recipe": {}, "seed": unit.seed, "split": splitting.split_name, "engine": {}}
        key["recipe"] = nest(self._choosing(unit))["training"] if self._choosing else {}
        journal = TrainingRuns(self._home / unit.entry).start(key).journal
        for epoch in (1, 2):
            row = dict.fromkeys(("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"), 1 / epoch)
            journal.keep(epoch, 1 / epoch, Path.touch, Path.touch)
            journal.append({"epoch": epoch} | row)
        journal.finish({"epochs": 2}, Path.touch)
        journal.record_model(f"{unit}")
        rng = np.random.default_rng([unit.seed, unit.fold, len(unit.entry)])
        right = pd.Index(self._class_names).get_indexer(made["label"])
        wrong = rng.random(len(right)) > self._accuracy[unit.entry]
        said = (right + wrong) % len(self._class_names)
        table = made[["image_id", "split", "label"]].reset_index(drop=True)
        probabilities = 0.1 + 0.6 * np.eye(len(self._class_names))[said]
        predictions = table.join(tabulate_probabilities(probabilities, self._class_names))
        hits = float(1 - wrong[(made["split"] == "test").to_numpy()].mean())
        metrics = dict.fromkeys(("test_accuracy", "test_balanced_accuracy", "test_macro_f1", "test_auc"), hits)
        features = pd.DataFrame({"model": [journal.model]})
        record = keep_evaluation(
            predictions,
            metrics,
            features,
            made,
            self._manifest,
            class_names=self._class_names,
            splitting=splitting,
            colour_baseline=self._judge_colour(made, rng),
            seed=unit.seed,
        )
        EvaluationRecordsDataset(filepath=str(self._home / unit.entry / "current")).save(record)

    def _judge_colour(self, made: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any] | None:
        if self._colour is None:
            return None
        wrong = made.loc[rng.random(len(made)) > self._colour, "image_id"]
        return {"splits": fingerprint_table(made), "errors": wrong.tolist()}


def make_manifest(splits: pd.DataFrame) -> pd.DataFrame:
    """Make the manifest of some images, all accepted."""
    ids = splits["image_id"]
    table = pd.DataFrame({"image_id": ids, "label": splits["label"], "group": ids, "sha256": ids})
    return table.assign(status="accepted", drawn=True)


def plan_made(seeds: int = 3, entries: Sequence[str] = ("vgg16", "resnet50"), folds: int = 2) -> Plan:
    """Plan a study of made units."""
    return make_plan({name: {"recipe": name} for name in entries}, folds, seeds, 1)


def run_made(home: Path, units: MadeUnits, plan: Plan) -> tuple[list[Outcome], Ledger]:
    """Run a study of made units."""
    ledger = Ledger(home, home.parent / "logs")
    return run_units(plan, ledger, units), ledger


class Packed:
    """Packed images as far as a plan sees them."""

    def __init__(self, size: int) -> None:
        self.pixels = np.zeros((1, size, size, 3), np.uint8)
