"""The plots of one model's result, for its page and as files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from leukoscope.core.counts import write_count
from leukoscope.figures import confusion, curves, panels, robustness, trust
from leukoscope.reporting.results import select_curves


def draw_result(result: Mapping[str, Any], title: str = "") -> dict[str, Figure]:
    """Draw all plots that a result has data for.

    Args:
        result: The evaluation's result.
        title: The model's title, for standalone figures; on a page the heading has it.

    Returns:
        ``confusion_matrix``, ``roc_curves`` and ``calibration``; ``learning_curves`` and ``robustness`` if available.
    """
    names = result["class_names"]
    images = sum(map(sum, result["confusion"]))
    judged = title and f"{title}, {write_count(images, result['split'] + ' image')}"
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


def draw_glance(result: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw the small plots at the top of a model's page.

    Args:
        result: The evaluation's result.

    Returns:
        ``glance_learning``, or ``glance_roc`` for a model without epochs; ``glance_confusion``; ``glance_reliability``.
    """
    names = result["class_names"]
    if result["history"]:
        drawn = {"glance_learning": panels.draw_learning(result["history"])}
    else:
        drawn = {"glance_roc": panels.draw_roc(select_curves(result), names)}
    return drawn | {
        "glance_confusion": panels.draw_small_confusion(result["confusion"], names),
        "glance_reliability": panels.draw_reliability(result["reliability"]["calibrated"]),
    }


def draw_models(results: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draw small plots of the training and the confusion matrix of each of many models.

    Args:
        results: The evaluations' results.

    Returns:
        ``confusion-<model>`` for each model, and ``learning-<model>`` for those with epochs.
    """
    drawn = {}
    for result in results:
        if result["history"]:
            drawn[f"learning-{result['model']}"] = panels.draw_learning(result["history"])
        counts = panels.draw_small_confusion(result["confusion"], result["class_names"])
        drawn[f"confusion-{result['model']}"] = counts
    return drawn
