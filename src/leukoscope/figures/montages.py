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


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(np.clip(image, 0, 255).astype("uint8"))
    axes.set(xticks=[], yticks=[])
