"""Predictions of a model on fields whose cells are painted over."""

import numpy as np
import pandas as pd

from leukoscope.audit.mirror import blank_cells, measure_reach
from leukoscope.evaluation.intervals import estimate_share
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import Classifier

_FIELDS_AT_ONCE = 256


def select_test_fields(images: pd.DataFrame, cells: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Select a model's test images that are unchanged since its evaluation and in which cells were found.

    Args:
        images: ``image_id``, ``label``, ``group`` and ``sha256`` of all images.
        cells: One row per cell.
        features: ``image_id``, ``split`` and ``sha256`` of the images that the model was evaluated on.

    Returns:
        Rows of ``images``, without any training image, whatever its name.
    """
    known = features.set_index("image_id")
    same = images["sha256"].eq(images["image_id"].map(known["sha256"]))
    tested = same & images["image_id"].map(known["split"]).eq("test")
    learned = images["sha256"].isin(set(known.loc[known["split"] == "train", "sha256"]))
    return images[tested & ~learned & images["image_id"].isin(cells["image_id"])]


def judge_blanked(
    classifier: Classifier,
    smears: PackedImages,
    cells: pd.DataFrame,
    fields: pd.DataFrame,
    diameter: float,
    confidence: float,
) -> dict[str, float]:
    """Predict fields unchanged, and with their cells painted over.

    Args:
        classifier: A classifier of any kind.
        smears: The packed images.
        cells: One row per cell, for the cells of all fields.
        fields: ``image_id``, ``label`` and ``group`` of one or more fields to predict.
        diameter: The diameter of a typical leukocyte, in pixels.
        confidence: The confidence of the interval.

    Returns:
        ``accuracy``, ``blanked`` with its interval by group, ``low`` to ``high``, ``images`` and ``groups``.
    """
    rows = smears.rows(fields["image_id"])
    classes = pd.Index(classifier.class_names).get_indexer(fields["label"])
    as_they_are = classifier.predict(smears.pixels, rows).probabilities.argmax(axis=1)
    reach = measure_reach(cells, diameter)
    blind = []
    for start in range(0, len(rows), _FIELDS_AT_ONCE):
        part = slice(start, start + _FIELDS_AT_ONCE)
        painted = blank_cells(smears.pixels, rows[part], cells, fields["image_id"].iloc[part], diameter, reach)
        blind.append(classifier.predict(painted).probabilities.argmax(axis=1))
    share = estimate_share(np.concatenate(blind) == classes, fields["group"], confidence)
    return {
        "accuracy": float((as_they_are == classes).mean()),
        "blanked": share.value,
        "low": share.low,
        "high": share.high,
        "images": len(rows),
        "groups": int(fields["group"].nunique()),
    }
