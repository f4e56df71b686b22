"""Confusion matrices."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures.canvas import SMALL, draw_cells, fit_points, make_figure, name_cells

_WIDTH = 3.5  # inches of the table, with row names of usual length
_MANY = 8  # from this number of classes on, cells show counts only


def draw_confusion(counts: Sequence[Sequence[int]], class_names: Sequence[str], title: str = "") -> Figure:
    """Draw a confusion matrix: counts, and shares of the true class, which determine the colours.

    With so many classes that counts would be illegible, only the colours are drawn.

    Args:
        counts: One row per true class, one column per predicted class.
        class_names: The classes, in the order of rows and columns.
        title: Title of the figure.
    """
    numbers = np.array(counts)
    totals = numbers.sum(axis=1, keepdims=True)
    # Shares are undefined for a class without images.
    shares = np.divide(numbers, totals, out=np.full(numbers.shape, np.nan), where=totals > 0)
    figure = make_figure(max(3.6, 0.42 * len(numbers) + 1.2), title)
    axes: Axes = figure.subplots()
    words = _word_cells(numbers, shares)
    points = fit_points(max(words, key=lambda row: max(map(len, row))), _WIDTH)
    draw_cells(axes, shares, words if points else [[""] * len(numbers)] * len(numbers), points or SMALL)
    name_cells(axes, class_names, class_names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title("darker: a larger share of the true class", fontsize=SMALL)
    return figure


def _word_cells(numbers: np.ndarray, shares: np.ndarray) -> list[list[str]]:
    words = [[f"{count:,}" for count in counts] for counts in numbers]
    if len(numbers) < _MANY:
        for row, column in np.argwhere(numbers > 0):
            words[row][column] += f"\n{shares[row, column]:.0%}"
    return words
