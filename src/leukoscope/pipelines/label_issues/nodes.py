"""List images whose labels may be wrong, for review."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.evaluation import label_issues
from leukoscope.figures import Figure
from leukoscope.images.packed import PackedImages

_SHOWN = 40
_COLUMNS = 8
logger = logging.getLogger(__name__)


def find_label_issues(
    out_of_fold: dict[str, Any], folds: Mapping[str, Any], manifest: pd.DataFrame, class_names: list[str]
) -> pd.DataFrame:
    """Find images whose labels contradict the out-of-fold predictions.

    Args:
        out_of_fold: Pooled predictions of each model, including those of earlier runs.
        folds: The fold sets of this run; only their models are used.
        manifest: The path of each image.
        class_names: The classes in order.

    Returns:
        The table of ``leukoscope.evaluation.label_issues``, with ``path`` and ``sha256`` of each image, and ``data``,
        the fingerprint of all images.

    Raises:
        InputError: Predicted images are missing from the current ones.
    """
    from leukoscope.images.manifest import fingerprint_manifest

    tables = {name: out_of_fold[name] for name in folds}
    pooled = {name: table() if callable(table) else table for name, table in tables.items()}
    known = manifest.set_index("image_id")
    for name, table in pooled.items():
        gone = table.loc[~table["image_id"].isin(known.index), "image_id"]
        if len(gone):
            raise InputError(
                f"{len(gone)} of {len(table)} images that the folds of {name} were tested on are not among the present "
                f"ones, {gone.iloc[0]!r} for one. Put them back and run the pipeline ingestion, or train the folds "
                f"again."
            )
    table = label_issues.find_label_issues(pooled, class_names)
    logger.info("Doubtful: %d of %s", len(table), count_of(len(next(iter(pooled.values()))), "label"))
    table.insert(1, "path", table["image_id"].map(known["path"]))
    return table.assign(sha256=table["image_id"].map(known["sha256"]), data=fingerprint_manifest(manifest))


def draw_label_issues(table: pd.DataFrame, smears: PackedImages) -> Figure:
    """Draw the most doubtful images, each with its label and the suggested class.

    Args:
        table: The doubtful images, the most doubtful first.
        smears: The packed images.
    """
    from leukoscope.figures import montages

    shown = table.head(_SHOWN)
    images = [np.asarray(smears.pixels[row]) for row in smears.rows(shown["image_id"])]
    titles = [f"{row.label}: {row.suggested}?" for row in shown.itertuples()]
    heading = f"{len(shown)} of {len(table)} doubtful labels: label, and what models suggest"
    return montages.draw_titled(images, titles, _COLUMNS, heading)
