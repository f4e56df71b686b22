"""What a figure shows, read from its parts."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes


def list_words(parts: Any) -> list[str]:
    """List what texts say, in their order."""
    return [text.get_text() for text in parts]


def list_legend(legend: Any) -> list[str]:
    """List the labels of a legend."""
    return list_words(legend.get_texts())


def read_line(axes: Axes, label: str) -> tuple[list[float], list[float]]:
    """Give the data of the line of this label: its x, its y."""
    (line,) = (line for line in axes.lines if line.get_label() == label)
    return list(map(float, line.get_xdata())), list(map(float, line.get_ydata()))


def list_intervals(axes: Axes) -> list[tuple[float, float, float]]:
    """List the horizontal lines of intervals that are drawn: where each begins and ends, and its height."""
    intervals = []
    for drawn in axes.collections:
        for segment in getattr(drawn, "get_segments", list)():
            if len(segment) and not np.isnan(segment).any():
                intervals.append((*np.round(segment[:, 0], 6).tolist(), round(float(segment[0, 1]), 6)))
    return intervals


def list_cells(axes: Axes) -> np.ndarray:
    """Give what the cells of a table are coloured by, NaN where they are left grey: ``[rows, columns]``."""
    (cells,) = axes.collections
    return np.ma.filled(np.ma.masked_invalid(cells.get_array()), np.nan)
