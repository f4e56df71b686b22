"""The history of evaluations on test images: how often the images were used, and under which split."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.metrics import METRICS
from leukoscope.evaluation.scoring import ENDS

# Grouping rules from least to most strict: later ones keep more images together.
_STRICTNESS = ("duplicate", "appearance", "series", "name", "table")
_COUNTED = ("images", "groups", "accuracy")
# Only evaluations that agree in these are comparable.
_SAME = ("model", "data", "set_confidence")


def describe(splits: pd.DataFrame, metrics: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """Describe one evaluation.

    Args:
        splits: The split of each image.
        metrics: Metrics, including those of the test images, ``test_<metric>``.
        facts: ``model``; ``model_fingerprint``; ``data``, the fingerprint of all images; ``group_by``, the grouping
            rule, and ``unit``, its description; ``set_confidence``, the stated confidence of prediction sets.
    """
    return facts | {"test": fingerprint_test(splits)} | {name: metrics.get(f"test_{name}") for name in _list_kept()}


def _list_kept() -> list[str]:
    """List the metrics to keep: the counted ones, and those of prediction sets and opinions, which promise a rate."""
    sets = [name for name, metric in METRICS.items() if metric.section == "sets"]
    promised = [f"{name}{end}" for name in (*sets, "coverage", "selective_error") for end in ("", *ENDS)]
    return [*_COUNTED, *promised]


def fingerprint_test(splits: pd.DataFrame) -> str:
    """Hash which images are in the test set, and their labels."""
    return fingerprint_table(splits.loc[splits["split"] == "test", ["image_id", "label"]])


def count_looks(evaluations: Sequence[Mapping[str, Any]], test: str) -> int:
    """Count the trained models that were evaluated on the given test images.

    Args:
        evaluations: All recorded evaluations.
        test: Fingerprint of the test images.
    """
    return len({row["model_fingerprint"] for row in evaluations if row["test"] == test})


def count_looks_at_data(evaluations: Sequence[Mapping[str, Any]], test: str) -> int:
    """Count the trained models evaluated on test images of the same data set, including other splits and folds.

    Args:
        evaluations: All recorded evaluations.
        test: Fingerprint of the present test images.
    """
    data = {row.get("data") for row in evaluations if row["test"] == test} - {None}
    return len({row["model_fingerprint"] for row in evaluations if row["test"] == test or row.get("data") in data})


def find_strictest(evaluations: Sequence[Mapping[str, Any]], model: str, test: str) -> dict[str, Any] | None:
    """Find a model's newest evaluation, on the same data, under the strictest split that it was evaluated with.

    Args:
        evaluations: All recorded evaluations, oldest first.
        model: Name of the model.
        test: Fingerprint of the present test images.

    Returns:
        The evaluation, with ``present``: whether it used these test images; ``None`` if the model was not evaluated on
        them.
    """
    present = [row for row in evaluations if (row["model"], row["test"]) == (model, test)]
    if not present:
        return None
    comparable = [row for row in evaluations if all(row[name] == present[-1][name] for name in _SAME)]
    strictest = max(reversed(comparable), key=lambda row: _STRICTNESS.index(row["group_by"]))
    return dict(strictest) | {"present": strictest["test"] == test}
