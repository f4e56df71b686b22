"""Compare whatever backbones have results."""

import logging
from typing import Any

import pandas as pd

from leukoscope.audit import verdict
from leukoscope.errors import InputError
from leukoscope.figures import Figure
from leukoscope.images.fingerprint import fingerprint_table
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions

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
    table = pd.DataFrame([result["summary"] for result in results if result is not None])
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
        result["backbone"]: ~test["image_id"].isin(result["errors"]).to_numpy()
        for result in results
        if result is not None and result["training"]["splits"] == present
    }
    return paired.compare_pairs(hits, test["group"], options.resamples, options.confidence, seed)


def draw_comparison(
    comparison: pd.DataFrame,
    differences: pd.DataFrame,
    audit_table: pd.DataFrame | None,
    splitting: SplittingOptions,
) -> Figure:
    """Draw our figures of every backbone, the published ones beside them, and what they are worth.

    Args:
        comparison: One row a backbone.
        differences: One row a pair of backbones, for the words below.
        audit_table: The ladder, if the images were audited.
        splitting: By which protocol the backbones were judged.
    """
    from leukoscope.figures import bars

    blind = None if audit_table is None else verdict.find_colour_baseline(audit_table, splitting.group_by)
    for row in comparison.itertuples():
        logger.info("%s", _say_what_it_is_worth(row, blind))
    return bars.draw_comparison(comparison, _say_what_is_real(comparison, differences), blind)


def _say_what_it_is_worth(row: Any, blind: pd.Series | None) -> str:
    said = f"{row.title}: test accuracy {row.test_accuracy:.3f}"
    if pd.notna(row.test_accuracy_low):
        said += f" ({row.test_accuracy_low:.3f} to {row.test_accuracy_high:.3f})"
    if blind is None:
        return f"{said}; what that is worth is not known before `kedro run --pipeline audit`"
    return f"{said}; stain colour alone reaches {blind['accuracy']:.3f} on these images, {blind['protocol']}-disjoint"


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
