"""Draw the comparison of models."""

import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.evaluation.metrics import METRICS, list_compared
from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, as_numbers, make_figure, measure_row, open_frame, wrap_names, write_values

_ROW = 0.16  # inches between models
_MARK = 0.17  # inches per mark of a model
_LETTERS = 80  # per line of text
_LARGE = 1000


class _Score(NamedTuple):
    column: str
    label: str
    colour: str


class _Cost(NamedTuple):
    column: str
    label: str
    unit: float


_COSTS = (
    _Cost("parameters", "parameters\n(millions)", 1e6),
    _Cost("seconds_per_epoch", "seconds\nper epoch", 1.0),
    _Cost("model_mib", "model size\n(MiB)", 1.0),
)


def draw_comparison(table: pd.DataFrame, blind: Mapping[str, Any] | None, words: str = "", title: str = "") -> Figure:
    """Draw each model's scores with intervals, its costs, and published figures as diamonds.

    Args:
        table: The comparison, with one row per model.
        blind: Results of stain colour alone on the same test images, ``accuracy`` and its interval ``low`` to ``high``,
            if known.
        words: Text below the figure on which differences are shown.
        title: Title of the figure.
    """
    scores = _list_scores(table)
    costs = measure_row(wrap_names(table["title"]), 0.26) * len(table) + 0.75
    rows = len(table) * (_ROW + _MARK * len(scores)) + 0.6
    lines = textwrap.wrap(words, _LETTERS)
    figure = make_figure(rows + costs + 0.16 * len(lines) + 0.9, title)
    parts: list[list[Any]] = [["scores"] * len(_COSTS), [cost.column for cost in _COSTS]]
    axes = figure.subplot_mosaic(parts, height_ratios=[rows, costs])
    _draw_scores(axes["scores"], table, scores, blind)
    for number, cost in enumerate(_COSTS):
        _draw_cost(axes[cost.column], table, cost)
        if number:
            axes[cost.column].set_yticklabels([])
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=8, parse_math=False)
    return figure


def _list_scores(table: pd.DataFrame) -> list[_Score]:
    scores = []
    for number, name in enumerate(list_compared()):
        if f"test_{name}" in table:
            colour = colours.OF_SCORES[number % len(colours.OF_SCORES)]
            scores.append(_Score(f"test_{name}", f"test {METRICS[name].title}", colour))
    return [*scores, _Score("train_accuracy", "training accuracy", colours.SKY)]


def _draw_scores(axes: Axes, table: pd.DataFrame, scores: list[_Score], blind: Mapping[str, Any] | None) -> None:
    step = _MARK / (_ROW + _MARK * len(scores))
    for number, score in enumerate(scores):
        heights = np.arange(len(table)) + step * (number - (len(scores) - 1) / 2)
        if f"{score.column}_low" in table:  # drawn as it is, even if it excludes the value
            low, high = (as_numbers(table[f"{score.column}{end}"]) for end in ("_low", "_high"))
            axes.hlines(heights, low, high, color=score.colour, lw=1.5)
        values = as_numbers(table[score.column])
        axes.plot(values, heights, "o", color=score.colour, ms=5, label=score.label)
        write_values(axes, heights, values, ".3f")
        if (published := f"report_{score.column}") in table:
            label = "the report's own figure" if score.column == "test_accuracy" else None
            axes.plot(as_numbers(table[published]), heights, "D", color=colours.VERMILION, ms=5, label=label)
    if blind is not None:
        _draw_blind(axes, blind)
    axes.set_yticks(range(len(table)), wrap_names(table["title"]), fontsize=SMALL, parse_math=False)
    axes.set(ylim=(len(table) - 0.5, -0.5), xlim=(0, 1.02), xlabel="score")
    axes.grid(axis="x", alpha=0.3)
    open_frame(axes)
    # Extend to the left as needed; below the title, unlike a figure legend.
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.1, 1),
        ncols=2,
        columnspacing=1,
        handlelength=1.5,
        frameon=False,
        fontsize=SMALL,
    )


def _draw_blind(axes: Axes, blind: Mapping[str, Any]) -> None:
    if blind["low"] is not None:
        axes.axvspan(blind["low"], blind["high"], color=colours.ORANGE, alpha=0.15, lw=0)
    label = f"stain colour alone: {blind['accuracy']:.3f}"
    axes.axvline(blind["accuracy"], color=colours.ORANGE, lw=1.5, ls="--", label=label)


def _draw_cost(axes: Axes, table: pd.DataFrame, cost: _Cost) -> None:
    places = np.arange(len(table))
    values = as_numbers(table[cost.column]) / cost.unit
    axes.barh(places, values, 0.6, color=colours.GREY)
    largest = np.nanmax(values, initial=0.0)
    write_values(axes, places, values, ",.0f" if largest >= _LARGE else ".3g", "none")
    if (published := f"report_{cost.column}") in table:
        axes.plot(as_numbers(table[published]) / cost.unit, places, "D", color=colours.VERMILION, ms=5)
    axes.set_yticks(places, wrap_names(table["title"]), fontsize=SMALL, parse_math=False)
    axes.set_title(cost.label, fontsize=SMALL)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.locator_params(axis="x", nbins=3 if largest < _LARGE else 1)
    if not largest:
        axes.set_xticks([])
    axes.set_xlim(left=0)
    axes.tick_params(axis="x", labelsize=8)
    open_frame(axes)
