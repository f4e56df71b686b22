"""Compare whatever backbones have results."""

import logging
from typing import Any

import pandas as pd

from leukoscope.errors import InputError
from leukoscope.figures import Figure
from leukoscope.images.fingerprint import fingerprint_table
from leukoscope.pipelines.evaluation.options import EvaluationOptions

logger = logging.getLogger(__name__)


def compare_backbones(*results: dict[str, Any] | None) -> pd.DataFrame:
    """Make one table of all results.

    Args:
        results: One for each backbone, or ``None`` where it has none yet.

    Returns:
        One row a backbone that has results.

    Raises:
        InputError: No backbone has results.
    """
    table = pd.DataFrame([result for result in results if result is not None]).drop(
        columns="test_errors", errors="ignore"
    )
    if table.empty:
        raise InputError("No backbone has results yet. Train one first, as with `kedro run --pipeline train_resnet50`.")
    if table["splits"].nunique() > 1:
        logger.warning(
            "These results come from different splits, so their test sets differ (column `splits`): evaluate "
            "or train the backbones again before comparing them."
        )
    return table


def compare_errors(
    splits: pd.DataFrame, options: EvaluationOptions, seed: int, *results: dict[str, Any] | None
) -> pd.DataFrame:
    """Test which differences in accuracy between backbones are real, on the same test images.

    Args:
        splits: The test images and their groups.
        options: How the intervals are drawn.
        seed: For the drawing.
        results: One for each backbone, or ``None`` where it has none yet; of other splits, it is left out.

    Returns:
        One row a pair, as ``compare_pairs`` has it.
    """
    from leukoscope.models import paired

    test = splits[splits["split"] == "test"]
    present = fingerprint_table(splits)
    hits = {
        result["backbone"]: ~test["image_id"].isin(result["test_errors"]).to_numpy()
        for result in results
        if result is not None and result["splits"] == present and "test_errors" in result
    }
    return paired.compare_pairs(hits, test["group"], options.resamples, options.confidence, seed)


def draw_comparison(comparison: pd.DataFrame, differences: pd.DataFrame) -> Figure:
    """Draw our figures of every backbone, and the published ones beside them.

    Args:
        comparison: One row a backbone.
        differences: One row a pair of backbones, for the words below.
    """
    from leukoscope.figures import bars

    return bars.draw_comparison(comparison, _say_what_is_real(comparison, differences))


def _say_what_is_real(comparison: pd.DataFrame, differences: pd.DataFrame) -> str:
    if differences.empty:
        return ""
    titles = comparison.set_index("backbone")["title"]
    better = differences[differences["difference"] > 0]
    worse = differences[differences["difference"] <= 0].rename(columns={"first": "second", "second": "first"})
    pairs = pd.concat([better, worse]).query("real")
    words = [
        f"{titles.get(one.first, one.first)} over {titles.get(one.second, one.second)} (+{abs(one.difference):.3f})"
        for one in pairs.itertuples()
    ]
    tests = "permutation of groups, Holm's correction, one training each"
    if not words:
        return f"No difference in test accuracy could be shown ({tests})."
    return f"Real differences in test accuracy ({tests}): {', '.join(words)}. No other could be shown."
