"""Draw pictures of one model's evaluation."""

from typing import Any

from leukoscope.figures import Figure
from leukoscope.training.options import ModelOptions


def draw_confusion_matrix(display: dict[str, Any], options: ModelOptions) -> Figure:
    """Draw the confusion matrix of the test set, as counts and as shares.

    Args:
        display: What the evaluation traced of the test set.
        options: Names the model.
    """
    from leukoscope.figures import confusion

    return confusion.draw_confusion(display["confusion"], display["class_names"], _entitle(options, display))


def draw_roc_curves(display: dict[str, Any], options: ModelOptions) -> Figure:
    """Draw the ROC curve of each class against all others on the test set.

    Args:
        display: What the evaluation traced of the test set.
        options: Names the model.
    """
    from leukoscope.figures import curves
    from leukoscope.reporting.results import select_curves

    return curves.draw_roc_curves(select_curves(display), display["class_names"], _entitle(options, display))


def draw_calibration(display: dict[str, Any], calibration: dict[str, Any], options: ModelOptions) -> Figure:
    """Draw how often the classifier is right when it is so sure, and what withholding opinions gains.

    Args:
        display: What the evaluation traced of the test set.
        calibration: What was learned from the validation images.
        options: Names the model.
    """
    from leukoscope.figures import trust

    title = _entitle(options, display)
    return trust.draw_calibration(display["reliability"], display["risk"], calibration, title)


def _entitle(options: ModelOptions, display: dict[str, Any]) -> str:
    images = sum(map(sum, display["confusion"]))
    return f"{options.title}, {images} test images"
