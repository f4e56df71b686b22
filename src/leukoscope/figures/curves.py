"""Learning curves and ROC curves."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, make_figure, open_frame, put_legend_below
from leukoscope.figures.words import as_it_is


def draw_learning_curves(history: pd.DataFrame, title: str = "") -> Figure:
    """Draw accuracy and loss over the epochs, and mark the epoch with the lowest validation loss.

    Args:
        history: One row per epoch.
        title: Title of the whole figure.
    """
    figure = make_figure(4.8, title)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, metric in ((above, "accuracy"), (below, "loss")):
        _draw_learning(axes, history, metric)
    above.set_ylim(0, 1.02)
    scale_losses(below)
    below.set_xlabel("epoch")
    below.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = above.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)
    return figure


def scale_losses(axes: Axes) -> None:
    """Use a logarithmic axis with plain numbers for losses."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _draw_learning(axes: Axes, history: pd.DataFrame, metric: str) -> None:
    for split, colour in (("train", colours.BLUE), ("validation", colours.VERMILION)):
        axes.plot(history["epoch"], history[f"{split}_{metric}"], "o-", ms=3, color=colour, label=split)
    if history["validation_loss"].notna().any():
        best = history.loc[history["validation_loss"].idxmin(), "epoch"]
        axes.axvline(best, color="grey", ls=":", lw=1, label="lowest validation loss")
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
    open_frame(axes)


def draw_roc_curves(
    curves: Mapping[str, Mapping[str, Sequence[float]]], class_names: Sequence[str], title: str = ""
) -> Figure:
    """Draw the ROC curves of classes, each against all others, with the areas under them.

    Args:
        curves: For each class ``false_positive`` and ``true_positive``; classes without a curve are left out.
        class_names: All classes in order, which determines their colours.
        title: Title of the figure.
    """
    figure = make_figure(4.5, title)
    axes: Axes = figure.subplots()
    styles = colours.style_classes(class_names)
    for name, curve in curves.items():
        false_positive = curve["false_positive"]
        true_positive = curve["true_positive"]
        label = f"{as_it_is(name)} (AUC {np.trapezoid(true_positive, false_positive):.3f})"
        axes.plot(false_positive, true_positive, color=styles[name].colour, ls=styles[name].line, label=label)
    axes.plot([0, 1], [0, 1], ls=":", color="grey", lw=1)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    open_frame(axes)
    if curves:
        put_legend_below(figure, axes)
    else:
        axes.text(0.5, 0.3, "undefined: all images are of one class", ha="center", fontsize=SMALL)
    return figure
