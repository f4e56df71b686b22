"""List images whose labels may be wrong, for someone to look at."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.evaluation import label_issues
from leukoscope.figures import Figure
from leukoscope.images.packed import PackedImages

_SHOWN, _COLUMNS = 40, 8
logger = logging.getLogger(__name__)


def find_label_issues(out_of_fold: dict[str, Any], manifest: pd.DataFrame, class_names: list[str]) -> pd.DataFrame:
    """Find images whose labels the folds' predictions contradict.

    Args:
        out_of_fold: Pooled predictions of each model.
        manifest: Where each image is.
        class_names: The classes in order.

    Returns:
        As ``leukoscope.evaluation.label_issues`` has it, with the ``path`` of each image.
    """
    pooled = {name: table() if callable(table) else table for name, table in out_of_fold.items()}
    table = label_issues.find_label_issues(pooled, class_names)
    logger.info("%d of %d labels are doubtful", len(table), len(next(iter(pooled.values()))))
    table.insert(1, "path", table["image_id"].map(manifest.set_index("image_id")["path"]))
    return table


def draw_label_issues(table: pd.DataFrame, smears: PackedImages) -> Figure:
    """Draw the most doubtful images, each with its label and the class that is suggested.

    Args:
        table: The doubtful images, the most doubtful first.
        smears: The packed images.
    """
    from leukoscope.figures import montages

    shown = table.head(_SHOWN)
    images = [np.asarray(smears.pixels[row]) for row in smears.rows(shown["image_id"])]
    titles = [f"{row.label}: {row.suggested}?" for row in shown.itertuples()]
    return montages.draw_titled(images, titles, _COLUMNS)
