"""The size and shared parts of figures."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 4.8  # inches: on a phone, whose pages are some 360 pixels wide, a point is a pixel
SMALL = 9.5  # points
UNDEFINED = "undefined"

_TITLE_LINE = 0.24  # inches
_LINE = 0.17  # inches
_LETTERS_OF_TITLE = 52
_LETTERS_OF_COLUMNS = 32
_LETTERS_OF_NAME = 18
_BLANK = "#eeeeee"
_LETTER_WIDTH = 0.6  # relative to the font size
_LEAST = 6.0  # the smallest legible font size
_LETTERS_OF_LABEL = 24
_DARK = 0.7  # from this share on, text in a cell is white


def make_figure(height: float, title: str = "") -> Figure:
    """Create a figure of the standard width.

    Args:
        height: Height of its plots, in inches.
        title: Title above them; empty on a page, where a heading has it.
    """
    lines = textwrap.wrap(title, _LETTERS_OF_TITLE)
    figure = Figure(figsize=(WIDTH, height + _TITLE_LINE * len(lines)), layout="constrained")
    if lines:
        figure.suptitle("\n".join(lines), fontsize=11, parse_math=False)
    return figure


def open_frame(axes: Axes) -> None:
    """Hide the top and right spines of a plot."""
    axes.spines[["top", "right"]].set_visible(False)


def wrap_names(names: Iterable[str]) -> list[str]:
    """Wrap long row or column names into lines, to leave room for the plot."""
    return ["\n".join(textwrap.wrap(name, _LETTERS_OF_NAME)) for name in names]


def measure_row(names: Iterable[str], least: float) -> float:
    """Compute the height of a row that fits any of the names, in inches.

    Args:
        names: Wrapped names.
        least: Minimum height of a row.
    """
    lines = max((name.count("\n") + 1 for name in names), default=1)
    return max(least, _LINE * lines + 0.1)


def write_values(
    axes: Axes, heights: Iterable[float], values: Iterable[Any], form: str, missing: str = UNDEFINED
) -> None:
    """Write the values of marks to the right of the plot, level with each, where no line crosses them.

    Args:
        axes: Axes of a horizontal plot.
        heights: Vertical position of each mark.
        values: The values to write.
        form: Format of a number, as in ``format``.
        missing: Text for missing values.
    """
    for height, value in zip(heights, values, strict=True):
        words = missing if pd.isna(value) else format(float(value), form)
        axes.text(1.02, height, words, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL)


def draw_cells(axes: Axes, shares: np.ndarray, words: Sequence[Sequence[str]], points: float = SMALL) -> None:
    """Draw a table of coloured cells, with the first row at the top.

    Args:
        axes: Axes to draw on.
        shares: Values from 0 to 1 that determine the colours; undefined cells are grey.
        words: Text of each cell.
        points: Font size of the text.
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
    """Return the font size at which words fit side by side; ``None`` if it would be illegible.

    Args:
        words: One per column; a word may have several lines.
        width: Width of all columns, in inches.
        points: Font size if there is enough room.
    """
    columns = list(words)
    letters = max((len(line) for word in columns for line in word.split("\n")), default=0) + 1
    room = width * 72 / max(len(columns), 1) / (letters * _LETTER_WIDTH)
    return None if room < _LEAST else min(points, room)


def put_legend_below(figure: Figure, axes: Axes) -> None:
    """Put a plot's legend below it, where no line crosses it, and increase the figure's height accordingly.

    Args:
        figure: A figure with a constrained layout.
        axes: Axes of the legend; long labels are wrapped, and arranged in one column.
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
    """Label the rows and columns of a table of cells literally; crowded column labels are rotated.

    Args:
        axes: Axes of the table.
        rows: Row labels, first row first.
        columns: Column labels, first column first.
    """
    is_crowded = len(columns) * max(map(len, columns)) > _LETTERS_OF_COLUMNS
    axes.set_xticks(np.arange(len(columns)) + 0.5, wrap_names(columns), fontsize=SMALL, parse_math=False)
    if is_crowded:
        for label in axes.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(rows)) + 0.5, wrap_names(rows), fontsize=SMALL, parse_math=False)
    axes.tick_params(length=0)


def as_numbers(values: Iterable[Any]) -> np.ndarray:
    """Convert values to an array, with ``None`` as NaN, for which no mark is drawn."""
    return np.array([np.nan if pd.isna(value) else float(value) for value in values], float)
