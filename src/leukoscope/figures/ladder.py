"""Draw the audit's ladder of protocols."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, as_numbers, make_figure, open_frame, wrap_names
from leukoscope.figures.protocols import Rung, list_rungs


def draw_ladder(table: pd.DataFrame, largest: float, title: str = "") -> Figure:
    """Draw a row per predictor, with its accuracy and interval under each protocol.

    Args:
        table: One row per protocol and predictor.
        largest: The share of the largest class: the accuracy of always predicting it.
        title: Title of the figure.
    """
    predictors = list(dict.fromkeys(table["predictor"]))
    rungs = list_rungs(table)
    figure = make_figure(max(0.55, 0.13 * len(rungs)) * len(predictors) + 0.19 * len(rungs) + 1.2, title)
    axes: Axes = figure.subplots()
    for rung in rungs:
        _draw_rung(axes, rung, predictors)
    axes.axvline(largest, color=colours.BLACK, lw=1, ls=":", label="the largest class alone")
    names = wrap_names(name.replace("_", " ") for name in predictors)
    axes.set_yticks(range(len(predictors)), names, fontsize=SMALL)
    axes.set(ylim=(len(predictors) - 0.5, -0.5), xlabel="cross-validated accuracy, with its interval", xlim=(0, 1.02))
    axes.grid(axis="x", alpha=0.3)
    open_frame(axes)
    figure.legend(loc="outside lower left", frameon=False, fontsize=SMALL)
    return figure


def _draw_rung(axes: Axes, rung: Rung, predictors: list[str]) -> None:
    rows = rung.rows
    style = rung.style
    heights = rows["predictor"].map(predictors.index) + rung.shift
    axes.hlines(heights, as_numbers(rows["low"]), as_numbers(rows["high"]), color=style.shade, lw=1)
    face = style.shade if style.filled else "white"
    accuracies = as_numbers(rows["accuracy"])
    axes.plot(accuracies, heights, style.mark, color=style.shade, markerfacecolor=face, ms=5, label=rung.label)
