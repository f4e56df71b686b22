"""Confusion matrices."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from leukoscope.figures.words import as_it_is


def draw_confusion(labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix as counts and, beside it, as shares of the true class.

    Args:
        labels: The true class names.
        predicted: The predicted class names.
        class_names: The order of rows and columns.
        title: Of the whole figure.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    figure.suptitle(title)
    for axes, normalize, heading in zip(
        figure.subplots(1, 2), (None, "true"), ("images", "share of the true class"), strict=True
    ):
        matrix = confusion_matrix(labels, predicted, labels=class_names, normalize=normalize)
        display = ConfusionMatrixDisplay(matrix, display_labels=[as_it_is(name) for name in class_names])
        display.plot(ax=axes, cmap="Blues", colorbar=False, values_format="d" if normalize is None else ".2f")
        axes.set(title=heading, xlabel="predicted", ylabel="true")
    return figure
