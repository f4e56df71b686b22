"""Draw models with their intervals against stain colour alone: the first figure of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.canvas import (
    SMALL,
    as_numbers,
    make_figure,
    measure_row,
    open_frame,
    wrap_names,
    write_values,
)

_HOLLOW = "white"
# Offset below our marks, so that neither hides the other.
_BELOW = 0.25


def draw_overview(
    rows: Sequence[Mapping[str, Any]],
    better: Sequence[bool],
    blind: Mapping[str, Any] | None,
    published: Sequence[float | None] = (),
) -> Figure:
    """Draw the test accuracy of each model with its interval, best on top.

    Args:
        rows: ``title``, ``test_accuracy`` and its ends ``_low`` and ``_high`` for each model.
        better: Whether each model was shown to be better than stain colour alone; if so, its mark is filled.
        blind: Results of stain colour alone on the same test images, ``accuracy``, ``low`` and ``high``.
        published: Published accuracy of each model's system, on other images; empty to draw none.
    """
    order = sorted(range(len(rows)), key=lambda number: -float(rows[number]["test_accuracy"]))
    models = [rows[number] for number in order]
    names = wrap_names(row["title"] for row in models)
    figure = make_figure(measure_row(names, 0.3) * len(models) + 1.35)
    axes: Axes = figure.subplots()
    if blind is not None:
        _draw_blind(axes, blind)
    heights = np.arange(len(models))
    values = as_numbers(row["test_accuracy"] for row in models)
    low, high = (as_numbers(row.get(f"test_accuracy_{end}") for row in models) for end in ("low", "high"))
    axes.hlines(heights, low, high, color=colours.BLUE, lw=2)
    is_better = np.array([bool(better[number]) for number in order], bool)
    for which, face, label in (
        (is_better, colours.BLUE, "shown to be better"),
        (~is_better, _HOLLOW, "not shown to be better"),
    ):
        if which.any():
            axes.plot(values[which], heights[which], "o", ms=7, color=colours.BLUE, mfc=face, mew=1.5, label=label)
    if any(value is not None for value in published):
        marks = as_numbers(published[number] for number in order)
        axes.plot(
            marks, heights + _BELOW, "D", ms=5, color=colours.VERMILION, mfc="none", label="published, other images"
        )
    write_values(axes, heights, values, ".3f")
    axes.set_yticks(heights, names, fontsize=SMALL, parse_math=False)
    axes.set(ylim=(len(models) - 0.5, -0.5), xlim=(0, 1.02), xlabel="test accuracy, with its interval")
    axes.grid(axis="x", alpha=0.3)
    open_frame(axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL, columnspacing=1)
    return figure


def _draw_blind(axes: Axes, blind: Mapping[str, Any]) -> None:
    if blind.get("low") is not None:
        axes.axvspan(blind["low"], blind["high"], color=colours.ORANGE, alpha=0.2, lw=0)
    label = f"stain colour alone: {blind['accuracy']:.3f}"
    axes.axvline(blind["accuracy"], color=colours.ORANGE, lw=2, ls="--", label=label)
