"""What is kept of every evaluation on test images: how often these were looked at, and under which split."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.images.fingerprint import fingerprint_table

# From what holds the least together to what holds the most.
_STRICTNESS = ("duplicate", "look", "series", "table")
_KEPT = [f"{name}{end}" for name in ("set_coverage", "set_empty", "set_size") for end in ("", "_low", "_high")]


def describe(
    backbone: str, model: str, metrics: Mapping[str, Any], splits: pd.DataFrame, group_by: str, unit: str
) -> dict[str, Any]:
    """Describe one evaluation.

    Args:
        backbone: The backbone that was evaluated.
        model: Its classifier's fingerprint.
        metrics: Of the test images, ``test_<metric>``.
        splits: Which images test.
        group_by: What was held together, as ``splitting.group_by`` has it.
        unit: The same in words.
    """
    facts = {"backbone": backbone, "model": model, "test": fingerprint_test(splits), "group_by": group_by, "unit": unit}
    figures = {name: metrics.get(f"test_{name}") for name in ("images", "groups", "accuracy", *_KEPT)}
    return facts | figures


def fingerprint_test(splits: pd.DataFrame) -> str:
    """Hash which images test, and what they are."""
    return fingerprint_table(splits.loc[splits["split"] == "test", ["image_id", "label"]])


def count_looks(evaluations: Sequence[Mapping[str, Any]], test: str) -> int:
    """Count the trained models that were evaluated on some test images.

    Args:
        evaluations: All that are kept.
        test: The fingerprint of the images.
    """
    return len({row["model"] for row in evaluations if row["test"] == test})


def find_strictest(evaluations: Sequence[Mapping[str, Any]], backbone: str, test: str) -> dict[str, Any] | None:
    """Find the newest evaluation of a backbone under the strictest split that it was evaluated under.

    Args:
        evaluations: All that are kept, the oldest first.
        backbone: Which one.
        test: The fingerprint of the present test images.

    Returns:
        The evaluation, with ``present`` where it is of these images; ``None`` without any.
    """
    own = [row for row in evaluations if row["backbone"] == backbone]
    if not own:
        return None
    strictest = max(reversed(own), key=lambda row: (_STRICTNESS.index(row["group_by"]), row["test"] == test))
    return dict(strictest) | {"present": strictest["test"] == test}
