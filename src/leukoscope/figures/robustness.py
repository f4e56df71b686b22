"""Accuracy on changed fields."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leukoscope.figures import colours

_SHADES = (colours.SKY, colours.BLUE, colours.BLACK)


def draw_robustness(table: pd.DataFrame, title: str) -> Figure:
    """Draw a group of bars a change, from its weakest to its strongest.

    Args:
        table: One row a change and strength, and one of no change.
        title: Of the figure.
    """
    clean = float(table.loc[table["perturbation"] == "none", "accuracy"].iloc[0])
    changes = table[table["perturbation"] != "none"].groupby("perturbation", sort=False)
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots()
    for place, (_, rows) in enumerate(changes):
        levels = np.arange(len(rows)) - (len(rows) - 1) / 2
        shades = _SHADES[-len(rows) :]
        bars = axes.bar(place + 0.27 * levels, rows["accuracy"], 0.25, color=shades)
        axes.bar_label(bars, labels=[f"{level:g}" for level in rows["level"]], fontsize=7, padding=1)
    axes.axhline(clean, color=colours.VERMILION, lw=1, label=f"unchanged: {clean:.3f}")
    axes.set_xticks(range(len(changes)), list(changes.groups))
    axes.set(ylim=(0, 1.15), ylabel="accuracy", title=f"{title} on {table['images'].iloc[0]} changed test images")
    axes.legend(fontsize=8, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
