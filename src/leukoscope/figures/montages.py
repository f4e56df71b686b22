"""Pictures of smears in rows and columns."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures.words import as_it_is


def draw_grid(images: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Draw a grid of images with titles for rows and columns.

    Args:
        images: ``[rows, columns, height, width, 3]`` in 0-255.
        rows: A title for each row.
        columns: A title for each column.
    """
    figure = Figure(figsize=(1.6 * len(columns) + 0.6, 1.6 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes, image in zip(grid.flat, images.reshape(-1, *images.shape[2:]), strict=True):
        _show(axes, image)
    for axes, title in zip(grid[0], columns, strict=True):
        axes.set_title(title, fontsize=10)
    for axes, title in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(as_it_is(title), fontsize=10)
    return figure


def draw_titled(images: Sequence[np.ndarray], titles: Sequence[str], columns: int) -> Figure:
    """Draw images one after another in rows, each under a title of its own.

    Args:
        images: Each ``[height, width, 3]`` in 0-255; none draws a figure that says so.
        titles: One for each.
        columns: How many stand in a row.
    """
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(1.6 * columns, 1.8 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(images) :]:
        axes.set_axis_off()
    for axes, image, title in zip(grid.flat, images, titles, strict=False):
        _show(axes, image)
        axes.set_title(as_it_is(title), fontsize=8)
    if not images:
        figure.suptitle("There is none")
    return figure


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(np.clip(image, 0, 255).astype("uint8"))
    axes.set(xticks=[], yticks=[])
