"""What is kept of every evaluation on test images: how often these were looked at, and under which split."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.metrics import METRICS
from leukoscope.evaluation.scoring import ENDS

# From what holds the least together to what holds the most.
_STRICTNESS = ("duplicate", "appearance", "series", "name", "table")
_COUNTED = ("images", "groups", "accuracy")
# Only what is of the same images, and states the same, can stand beside each other.
_SAME = ("model", "data", "set_confidence")


def describe(splits: pd.DataFrame, metrics: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """Describe one evaluation.

    Args:
        splits: Which images test.
        metrics: Of the test images, ``test_<metric>``.
        facts: ``model``; ``model_fingerprint``; ``data``, that of all images; ``group_by``, what was held
            together, and ``unit``, the same in words; ``set_confidence``, as was stated for prediction sets.
    """
    return facts | {"test": fingerprint_test(splits)} | {name: metrics.get(f"test_{name}") for name in _list_kept()}


def _list_kept() -> list[str]:
    """List the metrics that are kept: those of prediction sets, of which a rate is stated, and of opinions."""
    sets = [name for name, metric in METRICS.items() if metric.section == "sets"]
    promised = [f"{name}{end}" for name in (*sets, "coverage", "selective_error") for end in ("", *ENDS)]
    return [*_COUNTED, *promised]


def fingerprint_test(splits: pd.DataFrame) -> str:
    """Hash which images test, and what they are."""
    return fingerprint_table(splits.loc[splits["split"] == "test", ["image_id", "label"]])


def count_looks(evaluations: Sequence[Mapping[str, Any]], test: str) -> int:
    """Count the trained models that were evaluated on some test images.

    Args:
        evaluations: All that are kept.
        test: The fingerprint of the images.
    """
    return len({row["model_fingerprint"] for row in evaluations if row["test"] == test})


def count_looks_at_data(evaluations: Sequence[Mapping[str, Any]], test: str) -> int:
    """Count the trained models that were evaluated on test images of the same data set: of folds and other splits, too.

    Args:
        evaluations: All that are kept.
        test: The fingerprint of the present test images.
    """
    data = {row.get("data") for row in evaluations if row["test"] == test} - {None}
    return len({row["model_fingerprint"] for row in evaluations if row["test"] == test or row.get("data") in data})


def find_strictest(evaluations: Sequence[Mapping[str, Any]], model: str, test: str) -> dict[str, Any] | None:
    """Find the newest evaluation of a model, on the same images, under the strictest split that there was.

    Args:
        evaluations: All that are kept, the oldest first.
        model: Which one.
        test: The fingerprint of the present test images.

    Returns:
        The evaluation, with ``present`` where it is of these test images; ``None`` where the model was not evaluated
        on these.
    """
    present = [row for row in evaluations if (row["model"], row["test"]) == (model, test)]
    if not present:
        return None
    comparable = [row for row in evaluations if all(row[name] == present[-1][name] for name in _SAME)]
    strictest = max(reversed(comparable), key=lambda row: _STRICTNESS.index(row["group_by"]))
    return dict(strictest) | {"present": strictest["test"] == test}
