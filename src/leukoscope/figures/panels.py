"""Small plots in a row: of one model at the top of its page, of all models in the comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leukoscope.figures import colours
from leukoscope.figures.canvas import draw_cells, fit_points, open_frame
from leukoscope.figures.words import as_it_is

# Inches: two fit side by side on a phone.
_WIDTH = 2.3
_HEIGHT = 2.1
_SMALL = 8.5  # points
_LETTERS = 7  # of a class name
_NAMED = 12  # largest number of classes whose names fit
_CELLS = 1.5  # inches of the table of cells


def draw_learning(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw training and validation accuracy over the epochs.

    Args:
        history: One row per epoch.
    """
    table = pd.DataFrame(history)
    axes = _make_panel()
    for split, colour in (("train", colours.BLUE), ("validation", colours.VERMILION)):
        axes.plot(table["epoch"], table[f"{split}_accuracy"], "-", lw=1.6, color=colour, label=split)
        if len(table) == 1:
            axes.plot(table["epoch"], table[f"{split}_accuracy"], "o", ms=4, color=colour)
    axes.set(ylim=(0, 1.02), yticks=[0, 0.5, 1])
    axes.set_xlabel("epoch", fontsize=_SMALL)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.margins(x=0.02)
    _put_legend(axes)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def draw_roc(curves: Mapping[str, Mapping[str, Sequence[float]]], class_names: Sequence[str]) -> Figure:
    """Draw ROC curves without labels, which the large plot has.

    Args:
        curves: For each class ``false_positive`` and ``true_positive``.
        class_names: All classes in order, which determines their colours.
    """
    axes = _make_panel()
    styles = colours.style_classes(class_names)
    for name, curve in curves.items():
        style = styles[name]
        axes.plot(curve["false_positive"], curve["true_positive"], color=style.colour, ls=style.line, lw=1.6)
    axes.plot([0, 1], [0, 1], ls=":", color="grey", lw=1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_xlabel("1 - specificity", fontsize=_SMALL)
    axes.set_ylabel("sensitivity", fontsize=_SMALL)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def draw_reliability(bins: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the accuracy of calibrated opinions by their confidence.

    Args:
        bins: ``confidence``, ``right`` and ``images`` of each non-empty bin.
    """
    axes = _make_panel()
    images = np.array(bins["images"], float)
    axes.plot([0, 1], [0, 1], ls=":", color="grey", lw=1)
    axes.plot(bins["confidence"], bins["right"], "-", color=colours.BLUE, lw=1)
    sizes = 6 + 90 * images / max(images.sum(), 1)
    axes.scatter(bins["confidence"], bins["right"], sizes, color=colours.BLUE, clip_on=False, zorder=3)
    axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_xlabel("confidence", fontsize=_SMALL)
    axes.set_ylabel("share right", fontsize=_SMALL)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def draw_small_confusion(counts: Sequence[Sequence[int]], class_names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: counts, coloured by shares of the true class.

    Args:
        counts: One row per true class, one column per predicted class.
        class_names: The classes, in the order of rows and columns; long names are cut, and with too many classes left
            out.
    """
    numbers = np.array(counts)
    totals = numbers.sum(axis=1, keepdims=True)
    shares = np.divide(numbers, totals, out=np.full(numbers.shape, np.nan), where=totals > 0)
    axes = _make_panel()
    words = [[f"{count:,}" for count in row] for row in numbers]
    points = fit_points(max(words, key=lambda row: max(map(len, row))), _CELLS, _SMALL)
    draw_cells(axes, shares, words if points else [[""] * len(numbers)] * len(numbers), points or _SMALL)
    names = [_cut(name) for name in class_names]
    places = np.arange(len(names)) + 0.5
    if len(names) > _NAMED:
        names = [""] * len(names)
    crowded = len(names) > 4 or sum(map(len, names)) > 4 * _LETTERS - 6
    axes.set_xticks(places, names, rotation=90 if crowded else 0, fontsize=_SMALL if len(names) < 10 else 6)
    axes.set_yticks(places, names, fontsize=_SMALL if len(names) < 10 else 6)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xlabel("predicted", fontsize=_SMALL)
    axes.set_ylabel("true", fontsize=_SMALL)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _make_panel() -> Axes:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes: Axes = figure.subplots()
    axes.tick_params(labelsize=_SMALL)
    axes.grid(alpha=0.3)
    open_frame(axes)
    return axes


def _put_legend(axes: Axes) -> None:
    """Put a legend above the plot, where no line crosses it."""
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.45, 0.98),
        ncols=2,
        frameon=False,
        fontsize=_SMALL,
        handlelength=1.2,
        columnspacing=0.9,
        borderpad=0.1,
    )


def _cut(name: str) -> str:
    return as_it_is(name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…")
