"""The comparison of backbones."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.evaluation.metrics import METRICS, list_compared
from leukoscope.figures import colours

_COSTS = {
    "parameters": ("parameters (millions)", 1e6),
    "seconds_per_epoch": ("seconds per epoch", 1.0),
    "model_mib": ("model size (MiB)", 1.0),
}
_PUBLISHED = colours.VERMILION


def draw_comparison(table: pd.DataFrame, words: str, blind: Mapping[str, Any]) -> Figure:
    """Draw scores, with their intervals, and costs of each backbone as bars, and the published figures as diamonds.

    Args:
        table: One row a backbone, as the comparison has it.
        words: Which differences are shown, below.
        blind: What stain colour alone reaches on the same test images: ``accuracy``, its interval ``low`` to ``high``,
            and of how many ``groups`` these are.
    """
    figure = Figure(figsize=(max(9.0, 1.9 * len(table) + 2), 7.2), layout="constrained")
    images = "/".join(str(int(number)) for number in sorted(table["test_images"].unique()))
    is_drawn = "drawn_images" in table and (table["drawn_images"] > 0).any()
    title = f"Backbones compared on {images} test images of {blind['groups']} groups"
    figure.suptitle(f"Drawn data, no real smears: {title}" if is_drawn else title, fontsize=13)
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=[3, 2]))
    _draw_scores(above.subplots(), table, blind)
    figure.supxlabel(textwrap.fill(words, 150), fontsize=9)
    for axes, (column, (title, unit)) in zip(below.subplots(1, len(_COSTS)), _COSTS.items(), strict=True):
        _draw_cost(axes, table, column, title, unit)
    return figure


def _draw_scores(axes: Axes, table: pd.DataFrame, blind: Mapping[str, Any]) -> None:
    labels = {"train_accuracy": "training accuracy"}
    labels |= {f"test_{name}": f"test {METRICS[name].title}" for name in list_compared() if f"test_{name}" in table}
    places, width = np.arange(len(table)), 0.8 / len(labels)
    for number, (column, label) in enumerate(labels.items()):
        colour = colours.OF_SCORES[(number - 1) % len(colours.OF_SCORES)] if number else colours.SKY
        x = places + (number - (len(labels) - 1) / 2) * width
        heights = table[column].astype(float)
        bars = axes.bar(x, heights, width, color=colour, label=label)
        if f"{column}_low" in table:  # as it is, also where it misses its value
            axes.vlines(x, table[f"{column}_low"].astype(float), table[f"{column}_high"].astype(float), "black", lw=1)
        axes.bar_label(bars, fmt="%.3f", fontsize=7, padding=1)
        if (published := f"report_{column}") in table:
            legend = "the report's own figure" if column == "test_accuracy" else None
            axes.plot(x, table[published].astype(float), "D", color=_PUBLISHED, ms=5, label=legend)
    if blind["low"] is not None:
        axes.axhspan(blind["low"], blind["high"], color=colours.ORANGE, alpha=0.15, lw=0)
    label = f"stain colour alone, same images: {blind['accuracy']:.3f}"
    axes.axhline(blind["accuracy"], color=colours.ORANGE, lw=1.5, ls="--", label=label)
    axes.set_xticks(places, table["title"])
    axes.set(ylim=(0, 1.12), ylabel="score")
    axes.legend(ncols=3, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False)


def _draw_cost(axes: Axes, table: pd.DataFrame, column: str, title: str, unit: float) -> None:
    places = np.arange(len(table))
    costs = table[column].astype(float) / unit  # NaN where a kind of model has no such cost
    bars = axes.barh(places, costs.fillna(0), color="#999999")
    axes.bar_label(bars, ["none" if np.isnan(cost) else f"{cost:.3g}" for cost in costs], fontsize=8, padding=2)
    if (published := f"report_{column}") in table:
        axes.plot(table[published].astype(float) / unit, places, "D", color=_PUBLISHED, ms=5)
    axes.set_yticks(places, table["title"], fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.2)
    axes.invert_yaxis()
