"""Cross-validation: single folds, and what they give together."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.evaluation.folds import FIGURES
from leukoscope.evaluation.metrics import METRICS
from leukoscope.figures import colours


def draw_folds(table: pd.DataFrame, folds: pd.DataFrame) -> Figure:
    """Draw a row a model: a point a fold, and the pooled figure with its interval.

    Args:
        table: One row a model, with each figure and its ends.
        folds: One row a model and fold.
    """
    figure = Figure(figsize=(11, 0.7 * len(table) + 2.2), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(FIGURES), sharey=True))
    for place, name in zip(axes, FIGURES, strict=True):
        _draw_figure(place, table, folds, name, METRICS[name].title)
    axes[0].set_yticks(range(len(table)), table["model"])
    counts = "/".join(map(str, sorted(table["folds"].unique())))
    figure.suptitle(f"Cross-validation with {counts} folds: every image is tested once", fontsize=12)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _draw_figure(axes: Axes, table: pd.DataFrame, folds: pd.DataFrame, name: str, title: str) -> None:
    heights = np.arange(len(table))
    rows = folds["model"].map({model: row for row, model in enumerate(table["model"])})
    axes.hlines(heights, table[f"{name}_low"].astype(float), table[f"{name}_high"].astype(float), colours.BLUE, lw=2)
    axes.plot(
        table[name].astype(float), heights, "s", color=colours.BLUE, ms=6, label="all folds pooled, with interval"
    )
    colour = table[f"colour_{name}"].astype(float) if f"colour_{name}" in table else None
    if colour is not None and colour.notna().any():
        axes.plot(colour, heights, "|", color=colours.BLACK, ms=18, mew=1.5, label="stain colour alone")
    # Below the pooled figure, so that neither hides the other.
    axes.plot(folds[name].astype(float), rows + 0.22, "o", color=colours.ORANGE, ms=4, label="one fold")
    axes.set_title(title, fontsize=10)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
