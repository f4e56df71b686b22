"""Dot plots: a row per model with its metric over several trainings, the interval, and below it each training."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leukoscope.figures import colours
from leukoscope.figures.canvas import open_frame

# Offset below the overall mark, so that neither hides the other.
_BELOW = 0.25


def draw_dots(axes: Axes, models: pd.DataFrame, trainings: pd.DataFrame, name: str, words: tuple[str, str]) -> None:
    """Draw a metric of several models.

    Args:
        axes: Axes to draw on.
        models: One row per model: ``model``, the metric and its ends, ``_low`` and ``_high``.
        trainings: One row per training: ``model`` and the metric.
        name: Name of the metric.
        words: Legend labels for the marks of models and of trainings.
    """
    heights = np.arange(len(models))
    rows = trainings["model"].map({model: row for row, model in enumerate(models["model"])})
    low, high = (models[f"{name}_{end}"].astype(float) for end in ("low", "high"))
    axes.hlines(heights, low, high, colours.BLUE, lw=2)
    axes.plot(models[name].astype(float), heights, "s", color=colours.BLUE, ms=6, label=words[0])
    axes.plot(trainings[name].astype(float), rows + _BELOW, "o", color=colours.ORANGE, ms=4, label=words[1])
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    open_frame(axes)
