"""Draw pictures of one backbone's evaluation."""

from typing import Any

import pandas as pd

from leukoscope.figures import Figure
from leukoscope.training.options import ModelOptions


def draw_confusion_matrix(predictions: pd.DataFrame, class_names: list[str], options: ModelOptions) -> Figure:
    """Draw the confusion matrix of the test set, as counts and as rates.

    Args:
        predictions: One row an image.
        class_names: The classes in order.
        options: Names the backbone.
    """
    from leukoscope.figures import confusion

    test = predictions.query("split == 'test'")
    return confusion.draw_confusion(test["label"], test["predicted"], class_names, _title(options, len(test)))


def draw_roc_curves(predictions: pd.DataFrame, class_names: list[str], options: ModelOptions) -> Figure:
    """Draw the ROC curve of each class against all others on the test set.

    Args:
        predictions: One row an image.
        class_names: The classes in order.
        options: Names the backbone.
    """
    from leukoscope.evaluation.predictions import probability_columns
    from leukoscope.figures import curves

    test = predictions.query("split == 'test'")
    probabilities = test[probability_columns(class_names)].set_axis(class_names, axis=1)
    return curves.draw_roc_curves(test["label"].to_numpy(), probabilities, _title(options, len(test)))


def draw_calibration(
    predictions: pd.DataFrame,
    opinions: pd.DataFrame,
    calibration: dict[str, Any],
    class_names: list[str],
    options: ModelOptions,
) -> Figure:
    """Draw how often the classifier is right when it is so sure, and what withholding opinions gains.

    Args:
        predictions: One row an image.
        opinions: Of the same images.
        calibration: What was learned from the validation images.
        class_names: The classes in order.
        options: Names the backbone.
    """
    from leukoscope.evaluation.predictions import select_split
    from leukoscope.evaluation.trust import Calibration
    from leukoscope.figures import trust

    truth, given = select_split(predictions, "test", class_names)
    _, calibrated = select_split(opinions, "test", class_names)
    return trust.draw_calibration(
        truth, given, calibrated, Calibration.restore(calibration), _title(options, len(truth))
    )


def _title(options: ModelOptions, images: int) -> str:
    return f"{options.title}, {images} test images"
