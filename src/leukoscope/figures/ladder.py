"""The audit's ladder of protocols."""

import pandas as pd
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.protocols import list_rungs


def draw_ladder(table: pd.DataFrame, largest: float) -> Figure:
    """Draw a row a predictor with its accuracy and interval under each protocol.

    Args:
        table: One row a protocol and predictor.
        largest: The share of the largest class, which needs no predictor.
    """
    predictors = list(dict.fromkeys(table["predictor"]))
    rungs = list_rungs(table)
    figure = Figure(figsize=(9, max(0.55, 0.13 * len(rungs)) * len(predictors) + 2), layout="constrained")
    axes = figure.subplots()
    for rung in rungs:
        rows, style = rung.rows, rung.style
        heights = rows["predictor"].map(predictors.index) + rung.shift
        axes.hlines(heights, rows["low"], rows["high"], color=style.shade, lw=1)
        face = style.shade if style.filled else "white"
        axes.plot(
            rows["accuracy"], heights, style.mark, color=style.shade, markerfacecolor=face, ms=5, label=rung.label
        )
    axes.axvline(largest, color=colours.BLACK, lw=1, ls=":", label="the largest class alone")
    axes.set_yticks(range(len(predictors)), [name.replace("_", " ") for name in predictors])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set(xlabel="cross-validated accuracy, with its interval", xlim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("What can be told apart without seeing a cell, and by trained networks", fontsize=12)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
