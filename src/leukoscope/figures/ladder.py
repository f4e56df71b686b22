"""The audit's ladder of protocols."""

import pandas as pd
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.protocols import STYLES, shift


def draw_ladder(table: pd.DataFrame, largest: float) -> Figure:
    """Draw a row a predictor with its accuracy and interval under each protocol.

    Args:
        table: One row a protocol and predictor.
        largest: The share of the largest class, which needs no predictor.
    """
    predictors = list(dict.fromkeys(table["predictor"]))
    protocols = list(dict.fromkeys(table["protocol"]))
    figure = Figure(figsize=(9, 0.55 * len(predictors) + 1.6), layout="constrained")
    axes = figure.subplots()
    for number, protocol in enumerate(protocols):
        rows = table[table["protocol"] == protocol]
        heights = rows["predictor"].map(predictors.index) + shift(number, protocols)
        style = STYLES[protocol]
        axes.hlines(heights, rows["low"], rows["high"], color=style.shade)
        label = style.describe(rows["groups"].max())
        axes.plot(rows["accuracy"], heights, style.mark, color=style.shade, ms=5, label=label)
    axes.axvline(largest, color=colours.BLACK, lw=1, ls=":", label="the largest class alone")
    axes.set_yticks(range(len(predictors)), [name.replace("_", " ") for name in predictors])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set(xlabel="cross-validated accuracy, with its interval", xlim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("What can be told apart without seeing a cell, and by trained networks", fontsize=12)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
