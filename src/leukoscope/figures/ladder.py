"""The audit's ladder of protocols."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leukoscope.figures import colours

_SHADES = {"image": colours.SKY, "duplicate": colours.BLUE, "look": colours.ORANGE, "table": colours.PURPLE}
_MARKS = {"image": "o", "duplicate": "s", "look": "D", "table": "^"}


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
        heights = rows["predictor"].map(predictors.index) + (number - (len(protocols) - 1) / 2) * 0.18
        reach = np.abs(rows[["low", "high"]].to_numpy().T - rows["accuracy"].to_numpy())
        axes.errorbar(
            rows["accuracy"],
            heights,
            xerr=reach,
            fmt=_MARKS[protocol],
            color=_SHADES[protocol],
            ms=5,
            capsize=2,
            label=f"{protocol}-disjoint",
        )
    axes.axvline(largest, color=colours.BLACK, lw=1, ls=":", label="the largest class alone")
    axes.set_yticks(range(len(predictors)), [name.replace("_", " ") for name in predictors])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set(xlabel="cross-validated accuracy, with its interval", xlim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("What can be told apart without seeing a cell, and by trained networks", fontsize=12)
    figure.legend(loc="outside lower center", ncols=len(protocols) + 1, frameon=False, fontsize=9)
    return figure
