"""The size of figures, and what many of them have."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 4.8  # inches: on a phone, where a page is some 360 pixels wide, a point is a pixel
SMALL = 9.5  # points
UNDEFINED = "undefined"

_TITLE_LINE = 0.24  # inches
_LINE = 0.17  # inches
_LETTERS_OF_TITLE = 52
_LETTERS_OF_COLUMNS = 32
_LETTERS_OF_NAME = 18
_BLANK = "#eeeeee"
_LETTER_WIDTH = 0.6  # of the size of letters
_LEAST = 6.0  # the smallest size that can be read
_LETTERS_OF_LABEL = 24
_DARK = 0.7  # shares from which on letters in a cell are white


def make_figure(height: float, title: str = "") -> Figure:
    """Make a figure of the usual width.

    Args:
        height: Of its plots, in inches.
        title: Above them; none on a page, where a heading says the same.
    """
    lines = textwrap.wrap(title, _LETTERS_OF_TITLE)
    figure = Figure(figsize=(WIDTH, height + _TITLE_LINE * len(lines)), layout="constrained")
    if lines:
        figure.suptitle("\n".join(lines), fontsize=11, parse_math=False)
    return figure


def open_frame(axes: Axes) -> None:
    """Leave out the lines above and to the right of a plot."""
    axes.spines[["top", "right"]].set_visible(False)


def wrap_names(names: Iterable[str]) -> list[str]:
    """Break long names of rows or columns into lines, so that they leave room for what they name."""
    return ["\n".join(textwrap.wrap(name, _LETTERS_OF_NAME)) for name in names]


def measure_row(names: Iterable[str], least: float) -> float:
    """Give the height of a row that any of some names has room in, in inches.

    Args:
        names: Wrapped.
        least: Of a row.
    """
    lines = max((name.count("\n") + 1 for name in names), default=1)
    return max(least, _LINE * lines + 0.1)


def write_values(
    axes: Axes, heights: Iterable[float], values: Iterable[Any], form: str, missing: str = UNDEFINED
) -> None:
    """Write the values of marks beside the plot, on a level with each, where no line runs through them.

    Args:
        axes: Of a plot whose values go from left to right.
        heights: Where each mark is.
        values: What is written.
        form: Of a number, as ``format`` takes it.
        missing: What stands where there is none.
    """
    for height, value in zip(heights, values, strict=True):
        words = missing if pd.isna(value) else format(float(value), form)
        axes.text(1.02, height, words, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL)


def draw_cells(axes: Axes, shares: np.ndarray, words: Sequence[Sequence[str]], points: float = SMALL) -> None:
    """Draw a table of coloured cells, the first row on top.

    Args:
        axes: Of the table.
        shares: By which cells are coloured, 0 to 1; what is undefined is grey.
        words: What stands in each cell.
        points: The size of their letters.
    """
    axes.set_facecolor(_BLANK)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > _DARK else "black"
        place = (column + 0.5, row + 0.5)
        axes.text(*place, words[row][column], ha="center", va="center", color=colour, fontsize=points)
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()


def fit_points(words: Iterable[str], width: float, points: float = SMALL) -> float | None:
    """Give the size of letters at which words have room side by side; ``None`` where they could not be read.

    Args:
        words: One of each column; a word may have lines.
        width: Of all columns, in inches.
        points: The size where there is room enough.
    """
    columns = list(words)
    letters = max((len(line) for word in columns for line in word.split("\n")), default=0) + 1
    room = width * 72 / max(len(columns), 1) / (letters * _LETTER_WIDTH)
    return None if room < _LEAST else min(points, room)


def put_legend_below(figure: Figure, axes: Axes) -> None:
    """Put the legend of a plot below it, where no line runs through it, and make the figure as much higher.

    Args:
        figure: With a constrained layout.
        axes: Of which the legend is; long labels are broken into lines, and stand in one column.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    columns = 1 if max(map(len, labels)) > _LETTERS_OF_LABEL else 2
    lines = ["\n".join(textwrap.wrap(label, _LETTERS_OF_LABEL * 2, drop_whitespace=False)) for label in labels]
    rows = sum(line.count("\n") + 1 for line in lines) / columns
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + _LINE * 1.15 * (rows + 0.5))
    figure.legend(
        handles, lines, loc="outside lower center", ncols=columns, frameon=False, fontsize=SMALL, columnspacing=1
    )


def name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Name rows and columns of a table of cells, letter by letter; long names of columns are turned.

    Args:
        axes: Of the table.
        rows: From the first on.
        columns: The same.
    """
    is_crowded = len(columns) * max(map(len, columns)) > _LETTERS_OF_COLUMNS
    axes.set_xticks(np.arange(len(columns)) + 0.5, wrap_names(columns), fontsize=SMALL, parse_math=False)
    if is_crowded:
        for label in axes.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(rows)) + 0.5, wrap_names(rows), fontsize=SMALL, parse_math=False)
    axes.tick_params(length=0)


def as_numbers(values: Iterable[Any]) -> np.ndarray:
    """Give numbers, ``None`` as NaN, which no mark is drawn for."""
    return np.array([np.nan if pd.isna(value) else float(value) for value in values], float)
