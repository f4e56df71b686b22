"""Cross-validation folds: find the evaluations that belong together, pool them, and measure their spread."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.core.differences import find_differences
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.records import RIGHT_BY_COLOUR, EvaluationRecord

if TYPE_CHECKING:
    from leukoscope.evaluation.scoring import Scoring

# The metrics by which folds are compared; higher is better.
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "auc")
SPREAD = ("mean", "sd", "min", "max")
# Entries of a training's key that differ between folds, or concern the computing environment.
_OF_A_FOLD = ("splits", "split", "engine", "stain_target")
_OF_CELLS = ("strips", "table")


@dataclass(frozen=True, eq=False)
class FoldSet:
    """Evaluations that differ only in their fold: recipe, seed, images, number of folds and grouping are the same.

    Attributes:
        name: The model's name.
        count: Number of folds planned.
        records: The newest evaluation of each evaluated fold, by fold number, starting at 1.
    """

    name: str
    count: int
    records: dict[int, EvaluationRecord]

    @property
    def missing(self) -> list[int]:
        """The numbers of the folds that have not been evaluated."""
        return [number for number in range(1, self.count + 1) if number not in self.records]

    @property
    def written(self) -> float:
        """When the newest record was evaluated, in seconds."""
        return max(record.written for record in self.records.values())

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of one record; those that define the set are shared by all."""
        return next(iter(self.records.values())).facts

    def pool(self) -> pd.DataFrame:
        """Pool the predictions of all test images into one table: each by a model that has not seen the image.

        Images that share a group in any fold stay together, and so do duplicates.

        Returns:
            ``image_id, label, group, fold, predicted`` and one probability column per class; ``right_by_colour`` if all
            folds have it.

        Raises:
            InputError: An image is in two test sets, or in none although the folds cover all images.
        """
        from leukoscope.images.grouping import merge_groups

        tables = [record.predictions.assign(fold=number) for number, record in sorted(self.records.items())]
        pooled = pd.concat(tables, ignore_index=True)
        self._require_each_once(pooled["image_id"])
        pooled["group"] = merge_groups(pooled["group"], pooled["copies"])
        columns = ["image_id", "label", "group", "fold", "predicted"]
        known = [RIGHT_BY_COLOUR] if all(RIGHT_BY_COLOUR in table for table in tables) else []
        return pooled[[*columns, *probability_columns(self.facts["class_names"]), *known]]

    def _require_each_once(self, image_ids: pd.Series) -> None:
        twice = image_ids[image_ids.duplicated()]
        # When grouped by series, images without a file number are in no fold.
        lacking = self.facts["accepted"] - len(image_ids) if self.facts["splitting"]["group_by"] != "series" else 0
        if len(twice) or lacking:
            what = (
                f"{count_of(len(twice), 'image is', 'images are')} tested in two folds"
                if len(twice)
                else f"{count_of(lacking, 'image')} in none"
            )
            places = ", ".join(record.place for record in self.records.values())
            raise InputError(
                f"The {self.count} folds of {self.name} do not divide the images: {what}. Expected each in the test "
                f"set of one fold. Remove the folders {places} of the model, and train all folds again."
            )


def list_sets(name: str, records: Iterable[EvaluationRecord]) -> list[FoldSet]:
    """Sort evaluations into sets of folds, newest set first; evaluations outside cross-validation are left out.

    Args:
        name: The model's name.
        records: All evaluations of the model's trainings.
    """
    sets: dict[str, FoldSet] = {}
    for record in sorted(records, key=lambda record: record.written):  # the newest record of a fold comes last
        if record.fold:
            number, count = record.fold
            same = sets.setdefault(fingerprint_facts(describe_same(record)), FoldSet(name, count, {}))
            same.records[number] = record
    return sorted(sets.values(), key=lambda same: same.written, reverse=True)


def describe_same(record: EvaluationRecord) -> dict[str, Any]:
    """Return the facts that must be the same in all folds of a cross-validation."""
    facts = record.facts
    splitting = {name: value for name, value in facts["splitting"].items() if name != "fold"}
    rest = {name: facts[name] for name in ("data", "accepted", "seed", "class_names")}
    training = describe_training(facts["key"])
    return {"training": training, "splitting": splitting, "folds": facts["fold"][1], "images": rest}


def describe_training(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a training's key that must be the same in all folds."""
    same = {name: value for name, value in key.items() if name not in _OF_A_FOLD}
    for name in ("data", "synthetic"):
        if isinstance(same.get(name), dict):
            same[name] = _leave_out_images(same[name])
    return same


def _leave_out_images(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the hashes of a fold's images, and of the cells in them."""
    rest = {name: value for name, value in facts.items() if name != "images"}
    if isinstance(rest.get("cells"), dict):
        rest["cells"] = {name: value for name, value in rest["cells"].items() if name not in _OF_CELLS}
    return rest


def describe_members(runs: Mapping[str, Sequence[EvaluationRecord]]) -> dict[str, list[EvaluationRecord]]:
    """Replace the fingerprints of members and teachers in training keys by how these models were trained.

    A member or teacher is a different model in each fold, but must have been trained in the same way.

    Args:
        runs: All evaluated trainings of each model. A member that is not among them keeps its fingerprint.
    """
    keys = {record.facts["model"]: record.facts["key"] for records in runs.values() for record in records}

    def find(model: str) -> dict[str, Any] | str:
        return describe_training(describe(keys[model])) if model in keys else model

    def describe(key: Mapping[str, Any]) -> dict[str, Any]:
        described = dict(key)
        if "models" in key:
            described["models"] = {name: find(model) for name, model in key["models"].items()}
        if "teacher" in key:
            described["teacher"] = find(key["teacher"])
        return described

    def complete(record: EvaluationRecord) -> EvaluationRecord:
        return replace(record, facts=record.facts | {"key": describe(record.facts["key"])})

    return {name: list(map(complete, records)) for name, records in runs.items()}


def explain_differences(wanted: FoldSet, others: Sequence[FoldSet]) -> dict[int, list[str]]:
    """Explain, for each missing fold that another set has, how that set differs; by fold number."""
    differences = {}
    for number in wanted.missing:
        for other in others:
            if number in other.records:
                facts = describe_same(next(iter(wanted.records.values())))
                differences[number] = find_differences(facts, describe_same(other.records[number]))
                break
    return differences


def tabulate_folds(folds: FoldSet) -> pd.DataFrame:
    """Tabulate the metrics of each fold: ``model, fold, images, groups``, and one column per metric in ``FIGURES``."""
    rows = []
    for number, record in sorted(folds.records.items()):
        row = {"model": folds.name, "fold": number, "images": len(record.predictions)}
        row["groups"] = record.predictions["group"].nunique()
        rows.append(row | {figure: record.metrics[f"test_{figure}"] for figure in FIGURES})
    return pd.DataFrame(rows)


def describe_spread(table: pd.DataFrame) -> dict[str, float]:
    """Measure the spread of metrics over folds: ``<figure>_fold_mean``, ``_sd``, ``_min`` and ``_max``.

    The standard deviation is that of a sample (n - 1). It describes single folds, not their mean: folds share most of
    their training images, so no standard error follows from it (Bengio and Grandvalet 2004, No unbiased estimator
    of the variance of k-fold cross-validation).

    Args:
        table: One row per fold, with ``FIGURES``; a metric that is undefined in any fold has no spread.
    """
    spread: dict[str, float] = {}
    for figure in FIGURES:
        values = table[figure].to_numpy(float)
        measures = (values.mean(), values.std(ddof=1), values.min(), values.max())
        spread |= {f"{figure}_fold_{name}": float(value) for name, value in zip(SPREAD, measures, strict=True)}
    return spread


def judge_against_colour(pooled: pd.DataFrame, confidence: float, seed: int) -> dict[str, float]:
    """Compare pooled predictions with those of stain colour alone, learned in each fold, on the same images.

    Args:
        pooled: The table from ``FoldSet.pool``.
        confidence: Confidence level of the interval.
        seed: Seed of the permutations for the interval's ends.

    Returns:
        ``colour_accuracy``, ``colour_balanced_accuracy``, and the gain in accuracy over the former,
        ``gain_over_colour``, with its ends, ``_low`` and ``_high``, and ``_p``; all NaN if any fold lacks the colour
        results.
    """
    from leukoscope.evaluation.intervals import Estimate
    from leukoscope.evaluation.significance import estimate_difference

    gain = "gain_over_colour"
    if RIGHT_BY_COLOUR not in pooled:
        accuracies = {"colour_accuracy": np.nan, "colour_balanced_accuracy": np.nan}
        return accuracies | Estimate.undefined().tabulate(gain) | {f"{gain}_p": np.nan}
    by_colour = pooled[RIGHT_BY_COLOUR].to_numpy(bool)
    of_each_class = pd.Series(by_colour).groupby(pooled["label"].to_numpy()).mean()
    accuracies = {"colour_accuracy": by_colour.mean(), "colour_balanced_accuracy": of_each_class.mean()}
    hits = (pooled["predicted"] == pooled["label"]).to_numpy()
    difference, p = estimate_difference(hits, by_colour, pooled["group"], confidence, seed)
    return accuracies | difference.tabulate(gain) | {f"{gain}_p": p}


def judge_pooled(
    pooled: pd.DataFrame, scoring: "Scoring", resamples: int, confidence: float, seed: int
) -> dict[str, float]:
    """Score the pooled predictions as one test set, with intervals by groups.

    Args:
        pooled: The table from ``FoldSet.pool``.
        scoring: The classes.
        resamples: Number of bootstrap draws of groups, for metrics that are not a share of images.
        confidence: Confidence level of the intervals.
        seed: Seed of the draws.

    Returns:
        ``images, groups, error_groups``, and each of ``FIGURES`` with its ends, ``_low`` and ``_high``; NaN where
        undefined.
    """
    from leukoscope.evaluation.intervals import count_groups_with_errors, warn_of_few_groups
    from leukoscope.evaluation.scoring import ENDS, estimate

    probabilities = pooled[probability_columns(scoring.class_names)].to_numpy()
    predicted = pd.Index(scoring.class_names).get_indexer(pooled["predicted"])
    outcome = scoring.prepare(pooled["label"].to_numpy(), probabilities, predicted)
    outcome = replace(outcome, groups=pooled["group"].to_numpy(), seed=seed)
    warn_of_few_groups(count_groups_with_errors(outcome.hits, pooled["group"]), "The pooled test images")
    figures = estimate(outcome, resamples, confidence, seed)
    names = [f"{name}{end}" for name in FIGURES for end in ("", *ENDS)]
    return {name: figures[name] for name in ("images", "groups", "error_groups", *names)}
