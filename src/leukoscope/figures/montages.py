"""Pictures of smears in rows and columns."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


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
        axes.set_ylabel(title, fontsize=10)
    return figure


def draw_captioned(images: Sequence[np.ndarray], captions: Sequence[str], title: str, columns: int = 4) -> Figure:
    """Draw images with a caption above each.

    Args:
        images: Each ``[height, width, 3]`` in 0-255.
        captions: One for each image.
        title: Of the whole figure.
        columns: Images in a row.
    """
    n_rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(2.3 * columns, 2.75 * n_rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(n_rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, image, caption in zip(grid.flat, images, captions, strict=False):
        _show(axes, image)
        axes.axis("on")
        axes.set_title(caption, fontsize=8)
    return figure


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(np.clip(image, 0, 255).astype("uint8"))
    axes.set(xticks=[], yticks=[])
