"""Curves: of learning and of receiver operating characteristics."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import RocCurveDisplay

from leukoscope.figures import colours
from leukoscope.figures.words import as_it_is

_CLASS_COLOURS = (
    colours.GREEN,
    colours.ORANGE,
    colours.BLUE,
    colours.PURPLE,
    colours.VERMILION,
    colours.SKY,
    colours.BLACK,
    colours.YELLOW,
)


def draw_learning_curves(history: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy and loss over the epochs, with the epoch of the lowest validation loss.

    Args:
        history: One row an epoch.
        title: Of the whole figure.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    best = history.loc[history["validation_loss"].idxmin(), "epoch"]
    for axes, metric in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for split, colour in (("train", colours.BLUE), ("validation", colours.VERMILION)):
            axes.plot(history["epoch"], history[f"{split}_{metric}"], "o-", ms=3, color=colour, label=split)
        axes.axvline(best, color="grey", ls=":", lw=1, label="lowest validation loss")
        axes.set(xlabel="epoch", ylabel=metric)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    axes.set_yscale("log")
    axes.legend(fontsize=8)
    return figure


def draw_roc_curves(labels: np.ndarray, probabilities: pd.DataFrame, title: str) -> Figure:
    """Draw the ROC curve of each class against all others.

    Args:
        labels: The true class names.
        probabilities: One column a class, named as the class.
        title: Of the figure.
    """
    figure = Figure(figsize=(4.8, 4.6), layout="constrained")
    axes: Axes = figure.subplots()
    for name, colour in zip(probabilities.columns, cycle(_CLASS_COLOURS), strict=False):
        truth = labels == name
        if truth.any() and not truth.all():
            RocCurveDisplay.from_predictions(
                truth, probabilities[name], name=as_it_is(name), ax=axes, curve_kwargs={"color": colour}
            )
    axes.plot([0, 1], [0, 1], ls=":", color="grey", lw=1)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title=title, aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    return figure
