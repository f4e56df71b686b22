"""Draw grids of smear images."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures.words import as_it_is

_LETTERS = 22  # per line of a title
_LINE = 0.15  # height of such a line in inches


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


def draw_titled(images: Sequence[np.ndarray], titles: Sequence[str], columns: int, heading: str = "") -> Figure:
    """Draw images in rows, each with its own title.

    Args:
        images: Each ``[height, width, 3]`` in 0-255; without any, the figure says so.
        titles: One per image; long ones are wrapped.
        columns: Maximum number of images per row.
        heading: Title above all images.
    """
    if not images:
        figure = Figure(figsize=(4.8, 1.0), layout="constrained")
        figure.suptitle("There is none")
        return figure
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = ["\n".join(textwrap.wrap(title, _LETTERS)) for title in titles]
    most = max(title.count("\n") + 1 for title in lines)
    width = max(1.6 * columns, 4.8 if heading else 0.0)
    figure = Figure(figsize=(width, (1.65 + _LINE * most) * rows + (0.4 if heading else 0)), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(images) :]:
        axes.set_axis_off()
    for axes, image, title in zip(grid.flat, images, lines, strict=False):
        _show(axes, image)
        axes.set_title(as_it_is(title), fontsize=8)
    if heading:
        figure.suptitle(heading, fontsize=10)
    return figure


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(np.clip(image, 0, 255).astype("uint8"))
    axes.set(xticks=[], yticks=[])
