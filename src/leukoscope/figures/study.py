"""Draw the results of a study: its models over all folds and seeds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.canvas import (
    SMALL,
    make_figure,
    measure_row,
    open_frame,
    put_legend_below,
    wrap_names,
    write_values,
)
from leukoscope.figures.curves import scale_losses
from leukoscope.figures.dots import draw_dots
from leukoscope.figures.words import as_it_is

_OF_MODELS = (
    colours.BLUE,
    colours.VERMILION,
    colours.GREEN,
    colours.PURPLE,
    colours.ORANGE,
    colours.SKY,
    colours.BLACK,
)
_LINES = ("-", "--", ":", "-.")
_PAIRS = 24  # at most this many are drawn


def draw_estimates(study: pd.DataFrame, units: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Draw the accuracy of each model over all its seeds with its interval, and the accuracy of every unit.

    Args:
        study: One row per model.
        units: One row per unit.
        titles: Titles of the models.
    """
    names = wrap_names([titles[name] for name in study["model"]])
    figure = make_figure(measure_row(names, 0.45) * len(study) + 0.9)
    axes: Axes = figure.subplots()
    heights = np.arange(len(study))
    draw_dots(axes, study, units, "accuracy", ("all seeds, with interval", "one unit"))
    if "colour_accuracy" in study and study["colour_accuracy"].notna().any():
        colour = study["colour_accuracy"].astype(float)
        axes.plot(colour, heights, "|", color=colours.BLACK, ms=16, mew=1.5, label="stain colour alone")
    write_values(axes, heights, study["accuracy"], ".3f")
    axes.set_yticks(heights, names, fontsize=SMALL, parse_math=False)
    axes.set_xlabel("accuracy on test images")
    put_legend_below(figure, axes)
    return figure


def draw_differences(differences: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Draw the difference in accuracy of each pair with its interval; differences that count as real are filled.

    Args:
        differences: One row per pair; if there are many, only the largest differences are drawn.
        titles: Titles of the models.
    """
    largest = differences["difference"].abs().nlargest(_PAIRS).index
    left_out = len(differences) - len(largest)
    differences = differences.loc[differences.index.isin(largest)]
    pairs = [f"{titles[row.first]} minus {titles[row.second]}" for row in differences.itertuples()]
    names = wrap_names(pairs)
    figure = make_figure(measure_row(names, 0.4) * len(pairs) + 0.7)
    axes: Axes = figure.subplots()
    heights = np.arange(len(pairs))
    axes.axvline(0, color="grey", lw=1, ls=":")
    axes.hlines(heights, differences["low"], differences["high"], colours.BLUE, lw=2)
    for height, value, real in zip(heights, differences["difference"], differences["real"], strict=True):
        axes.plot(value, height, "s", color=colours.BLUE, ms=6, mfc=colours.BLUE if real else "white")
    write_values(axes, heights, differences["difference"], "+.3f")
    axes.set_yticks(heights, names, fontsize=SMALL, parse_math=False)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    rest = f"\n({left_out} smaller ones are in the table)" if left_out else ""
    axes.set_xlabel(f"difference in accuracy; filled: real{rest}")
    axes.grid(axis="x", alpha=0.3)
    open_frame(axes)
    return figure


def draw_histories(histories: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Draw the validation accuracy and loss of all units on top of each other, and the median of each model.

    Args:
        histories: ``model, fold, seed, epoch, validation_accuracy, validation_loss``, one row per epoch of a unit.
        titles: Titles of the models.
    """
    figure = make_figure(4.8)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, metric in ((above, "accuracy"), (below, "loss")):
        for number, name in enumerate(titles):
            history = histories[histories["model"] == name]
            _draw_model(axes, history, f"validation_{metric}", titles[name], number)
        axes.set_ylabel(f"validation {metric}")
        axes.grid(alpha=0.3)
        open_frame(axes)
    above.set_ylim(0, 1.02)
    if (histories["validation_loss"] > 0).any():
        scale_losses(below)
    below.set_xlabel("epoch")
    below.xaxis.get_major_locator().set_params(integer=True)
    put_legend_below(figure, above)
    return figure


def _draw_model(axes: Axes, histories: pd.DataFrame, column: str, title: str, number: int) -> None:
    if histories.empty:
        return
    colour = _OF_MODELS[number % len(_OF_MODELS)]
    line = _LINES[number // len(_OF_MODELS) % len(_LINES)]
    for _, unit in histories.groupby(["fold", "seed"]):
        axes.plot(unit["epoch"], unit[column], lw=0.7, alpha=0.4, color=colour, ls=line)
    median = histories.groupby("epoch")[column].median()
    axes.plot(median.index, median, lw=2.2, label=as_it_is(title), color=colour, ls=line)
