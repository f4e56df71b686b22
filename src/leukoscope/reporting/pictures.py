"""The plots of one model's result, for its page and for files."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from leukoscope.figures import confusion, curves, robustness, trust
from leukoscope.reporting.results import select_curves


def draw_result(result: Mapping[str, Any], title: str = "") -> dict[str, Figure]:
    """Draw whatever a result has.

    Args:
        result: As the evaluation gathers it.
        title: Of the model, for figures that stand alone; on a page a heading says it.

    Returns:
        ``confusion_matrix``, ``roc_curves`` and ``calibration``; ``learning_curves`` and ``robustness``, if it has any.
    """
    names = result["class_names"]
    images = sum(map(sum, result["confusion"]))
    judged = title and f"{title}, {images} {result['split']} images"
    drawn = {
        "confusion_matrix": confusion.draw_confusion(result["confusion"], names, judged),
        "roc_curves": curves.draw_roc_curves(select_curves(result), names, judged),
        "calibration": trust.draw_calibration(result["reliability"], result["risk"], result["calibration"], judged),
    }
    if result["history"]:
        drawn["learning_curves"] = curves.draw_learning_curves(pd.DataFrame(result["history"]), title)
    if result["robustness"]:
        table = pd.DataFrame(result["robustness"])
        changed = title and f"{title} on {table['images'].iloc[0]} changed test images"
        drawn["robustness"] = robustness.draw_robustness(table, changed)
    return drawn
