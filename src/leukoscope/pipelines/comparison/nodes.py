"""Compare whatever backbones have results."""

import logging
from typing import Any

import pandas as pd

from leukoscope.errors import InputError
from leukoscope.figures import Figure

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
    table = pd.DataFrame([result for result in results if result is not None])
    if table.empty:
        raise InputError("No backbone has results yet. Train one first, as with `kedro run --pipeline train_resnet50`.")
    if table["splits"].nunique() > 1:
        logger.warning(
            "These results come from different splits, so their test sets differ (column `splits`): evaluate "
            "or train the backbones again before comparing them."
        )
    return table


def draw_comparison(comparison: pd.DataFrame) -> Figure:
    """Draw our figures of every backbone, and the published ones beside them.

    Args:
        comparison: One row a backbone.
    """
    from leukoscope.figures import bars

    return bars.draw_comparison(comparison)
