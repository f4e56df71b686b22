"""What a model knows of fields whose cells are painted over."""

import numpy as np
import pandas as pd

from leukoscope.audit.mirror import blank_cells
from leukoscope.evaluation.intervals import estimate_share
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import Classifier

_FIELDS_AT_ONCE = 256


def judge_blanked(
    classifier: Classifier,
    smears: PackedImages,
    cells: pd.DataFrame,
    facts: pd.DataFrame,
    diameter: float,
    confidence: float,
) -> dict[str, float]:
    """Predict fields as they are, and with their cells painted over.

    Args:
        classifier: Of any kind.
        smears: The packed images.
        cells: A row a cell.
        facts: ``image_id``, ``label`` and ``group`` of each field.
        diameter: Of a typical leukocyte, in pixels.
        confidence: Of the interval.

    Returns:
        ``accuracy``, ``blanked`` with its interval by groups, ``low`` to ``high``, ``images`` and ``groups``.
    """
    rows = smears.rows(facts["image_id"])
    classes = pd.Index(classifier.class_names).get_indexer(facts["label"])
    as_they_are = classifier.predict(smears.pixels, rows).probabilities.argmax(axis=1)
    blind = []
    for start in range(0, len(rows), _FIELDS_AT_ONCE):
        part = slice(start, start + _FIELDS_AT_ONCE)
        painted = blank_cells(smears.pixels, rows[part], cells, facts["image_id"].iloc[part], diameter)
        blind.append(classifier.predict(painted).probabilities.argmax(axis=1))
    share = estimate_share(np.concatenate(blind) == classes, facts["group"], confidence)
    return {
        "accuracy": float((as_they_are == classes).mean()),
        "blanked": share.value,
        "low": share.low,
        "high": share.high,
        "images": len(rows),
        "groups": int(facts["group"].nunique()),
    }
