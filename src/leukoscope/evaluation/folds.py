"""Folds of one cross-validation: which evaluations belong together, what they give together, how far they differ."""

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

# What the folds are compared by; a higher figure is better.
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "auc")
SPREAD = ("mean", "sd", "min", "max")
# Of a training's key: what differs from fold to fold, and what computes.
_OF_A_FOLD = ("splits", "split", "engine", "stain_target")
_OF_CELLS = ("strips", "table")


@dataclass(frozen=True, eq=False)
class FoldSet:
    """Evaluations that differ in their fold only: recipe, seed, images, number of folds and grouping are the same.

    Attributes:
        name: The model's.
        count: How many folds there are to be.
        records: The newest evaluation of each fold that there is, by the fold's number, from 1.
    """

    name: str
    count: int
    records: dict[int, EvaluationRecord]

    @property
    def missing(self) -> list[int]:
        """The numbers of the folds that were not evaluated."""
        return [number for number in range(1, self.count + 1) if number not in self.records]

    @property
    def written(self) -> float:
        """When the newest of them was evaluated, in seconds."""
        return max(record.written for record in self.records.values())

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of one of them, as of all."""
        return next(iter(self.records.values())).facts

    def pool(self) -> pd.DataFrame:
        """Put the predictions of all test images into one table: each image by a model that has not seen it.

        Groups of any fold stay together, and so do duplicates.

        Returns:
            ``image_id, label, group, fold, predicted`` and one probability column a class; ``right_by_colour`` where
            all folds have it.

        Raises:
            InputError: An image is in two test sets, or in none although the folds divide all images.
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
        # By series, images without a file number are in no fold.
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
    """Sort evaluations into sets of folds, the newest set first; those of no fold are left out.

    Args:
        name: The model's.
        records: All evaluations of its trainings.
    """
    sets: dict[str, FoldSet] = {}
    for record in sorted(records, key=lambda record: record.written):  # of the same fold the newest is the last
        if record.fold:
            number, count = record.fold
            same = sets.setdefault(fingerprint_facts(describe_same(record)), FoldSet(name, count, {}))
            same.records[number] = record
    return sorted(sets.values(), key=lambda same: same.written, reverse=True)


def describe_same(record: EvaluationRecord) -> dict[str, Any]:
    """Tell what must be the same in all folds of a cross-validation."""
    facts = record.facts
    splitting = {name: value for name, value in facts["splitting"].items() if name != "fold"}
    rest = {name: facts[name] for name in ("data", "accepted", "seed", "class_names")}
    training = describe_training(facts["key"])
    return {"training": training, "splitting": splitting, "folds": facts["fold"][1], "images": rest}


def describe_training(key: Mapping[str, Any]) -> dict[str, Any]:
    """Tell of a training's key what must be the same in all folds."""
    same = {name: value for name, value in key.items() if name not in _OF_A_FOLD}
    for name in ("data", "synthetic"):
        if isinstance(same.get(name), dict):
            same[name] = _leave_out_images(same[name])
    return same


def _leave_out_images(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the hashes of the images of a fold, and of the cells in these."""
    rest = {name: value for name, value in facts.items() if name != "images"}
    if isinstance(rest.get("cells"), dict):
        rest["cells"] = {name: value for name, value in rest["cells"].items() if name not in _OF_CELLS}
    return rest


def describe_members(runs: Mapping[str, Sequence[EvaluationRecord]]) -> dict[str, list[EvaluationRecord]]:
    """Say of models that are made of others, or learned from one, how these were trained, not their fingerprints.

    A member or teacher is another one in each fold, and yet it must have been trained in the same way.

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
    """Say of missing folds that another set has in what that one differs, by the fold's number."""
    differences = {}
    for number in wanted.missing:
        for other in others:
            if number in other.records:
                facts = describe_same(next(iter(wanted.records.values())))
                differences[number] = find_differences(facts, describe_same(other.records[number]))
                break
    return differences


def tabulate_folds(folds: FoldSet) -> pd.DataFrame:
    """Tabulate the figures of each fold: ``model, fold, images, groups``, and one column each of ``FIGURES``."""
    rows = []
    for number, record in sorted(folds.records.items()):
        row = {"model": folds.name, "fold": number, "images": len(record.predictions)}
        row["groups"] = record.predictions["group"].nunique()
        rows.append(row | {figure: record.metrics[f"test_{figure}"] for figure in FIGURES})
    return pd.DataFrame(rows)


def describe_spread(table: pd.DataFrame) -> dict[str, float]:
    """Measure how far the figures of folds differ: ``<figure>_fold_mean``, ``_sd``, ``_min`` and ``_max``.

    The standard deviation is that of a sample (n - 1). It is of single folds, not of their mean: folds share most of
    their training images, so that no standard error follows from it (Bengio and Grandvalet 2004, No unbiased estimator
    of the variance of k-fold cross-validation).

    Args:
        table: One row a fold, with ``FIGURES``; a figure that is undefined in one has no spread.
    """
    spread: dict[str, float] = {}
    for figure in FIGURES:
        values = table[figure].to_numpy(float)
        measures = (values.mean(), values.std(ddof=1), values.min(), values.max())
        spread |= {f"{figure}_fold_{name}": float(value) for name, value in zip(SPREAD, measures, strict=True)}
    return spread


def judge_against_colour(pooled: pd.DataFrame, confidence: float, seed: int) -> dict[str, float]:
    """Hold pooled predictions against what stain colour alone, learned in each fold, says of the same images.

    Args:
        pooled: As ``FoldSet.pool`` has it.
        confidence: Of the interval.
        seed: For the swaps by which its ends are found.

    Returns:
        ``colour_accuracy``, ``colour_balanced_accuracy``, and the difference in accuracy to the former,
        ``gain_over_colour``, with its ends, ``_low`` and ``_high``, and ``_p``; all NaN where some fold does not know.
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
        pooled: As ``FoldSet.pool`` has it.
        scoring: The classes.
        resamples: Draws of groups, for figures that are no share of images.
        confidence: Of the intervals.
        seed: For the draws.

    Returns:
        ``images, groups, error_groups``, and each of ``FIGURES`` with its ends, ``_low`` and ``_high``; NaN where it
        is undefined.
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
