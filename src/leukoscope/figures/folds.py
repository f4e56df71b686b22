"""Draw cross-validation results: single folds and their pooled result."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.evaluation.folds import FIGURES
from leukoscope.evaluation.metrics import METRICS
from leukoscope.figures import colours
from leukoscope.figures.dots import draw_dots


def draw_folds(table: pd.DataFrame, folds: pd.DataFrame) -> Figure:
    """Draw a row per model: a point per fold, and the pooled metric with its interval.

    Args:
        table: One row per model, with each metric and its ends.
        folds: One row per model and fold.
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
    draw_dots(axes, table, folds, name, ("all folds pooled, with interval", "one fold"))
    colour = table[f"colour_{name}"].astype(float) if f"colour_{name}" in table else None
    if colour is not None and colour.notna().any():
        heights = np.arange(len(table))
        axes.plot(colour, heights, "|", color=colours.BLACK, ms=18, mew=1.5, label="stain colour alone")
    axes.set_title(title, fontsize=10)
