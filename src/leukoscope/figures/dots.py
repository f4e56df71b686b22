"""Dot plots: a row a model, with its figure over several trainings, the interval of that, and each training below."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leukoscope.figures import colours
from leukoscope.figures.canvas import open_frame

# So far below the figure of all that neither hides the other.
_BELOW = 0.25


def draw_dots(axes: Axes, models: pd.DataFrame, trainings: pd.DataFrame, name: str, words: tuple[str, str]) -> None:
    """Draw a figure of several models.

    Args:
        axes: Where.
        models: One row a model: ``model``, the figure and its ends, ``_low`` and ``_high``.
        trainings: One row a training: ``model`` and the figure.
        name: Of the figure.
        words: What the marks of models and of trainings are, in the legend.
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
