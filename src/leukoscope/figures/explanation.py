"""Draw a field, where a classifier looked, and the training images most similar to the field."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from leukoscope.figures import colours
from leukoscope.figures.words import as_it_is


def draw_explanation(
    pictures: Sequence[tuple[str, np.ndarray]],
    nearest: Sequence[tuple[str, np.ndarray]],
    probabilities: dict[str, float],
    title: str,
    warning: str | None = None,
    cells: Sequence[tuple[str, np.ndarray]] = (),
) -> Figure:
    """Draw a field and its maps in one row; below, its probabilities and nearest training images, then its cells.

    Args:
        pictures: Title and ``uint8 [height, width, 3]`` of the field and its overlays.
        nearest: Titles and pictures of training images, nearest first.
        probabilities: Calibrated probabilities of all classes in order.
        title: Title of the figure.
        warning: Warning below the figure, if any.
        cells: Caption and ``uint8 [side, side, 3]`` of the cells that the opinion rests on, in order.
    """
    columns = max(len(pictures), 1 + len(nearest))
    figure = Figure(figsize=(2.6 * columns, 5.9 + (1.9 if cells else 0)), layout="constrained")
    figure.suptitle(title, fontsize=11, parse_math=False)
    if warning:
        words = textwrap.fill(warning, 30 * columns)
        figure.supxlabel(words, fontsize=10, fontweight="bold", color=colours.VERMILION)
    upper: FigureBase = figure
    if cells:
        parts: Any = figure.subfigures(2, 1, height_ratios=[5.9, 1.9])
        upper = parts[0]
        _draw_gallery(parts[1], cells)
    grid = upper.subplots(2, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (caption, picture) in zip(grid[0], pictures, strict=False):
        _show(axes, picture, caption)
    _draw_bars(grid[1, 0], probabilities)
    for axes, (caption, picture) in zip(grid[1, 1:], nearest, strict=False):
        _show(axes, picture, caption)
    return figure


def _draw_gallery(figure: FigureBase, cells: Sequence[tuple[str, np.ndarray]]) -> None:
    figure.suptitle("the cells, by how far each speaks for the likeliest class", fontsize=9)
    grid = figure.subplots(1, len(cells), squeeze=False)
    for axes, (caption, picture) in zip(grid.flat, cells, strict=True):
        axes.set_axis_off()
        _show(axes, picture, caption)


def _show(axes: Axes, picture: np.ndarray, caption: str) -> None:
    axes.imshow(picture)
    axes.set_title(caption, fontsize=9, parse_math=False)


def _draw_bars(axes: Axes, probabilities: dict[str, float]) -> None:
    axes.set_axis_on()
    shades = [style.colour for style in colours.style_classes(list(probabilities)).values()]
    bars = axes.barh([as_it_is(name) for name in probabilities], list(probabilities.values()), color=shades)
    axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
    axes.set(xlim=(0, 1.25), xticks=[0, 0.5, 1])
    axes.invert_yaxis()
    axes.set_title("calibrated probabilities", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
