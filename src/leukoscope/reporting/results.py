"""What a report shows of a classifier, in plain lists that JSON can keep."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.evaluation.calibration import bin_confidence
from leukoscope.evaluation.predictions import number_predicted, probability_columns, select_split
from leukoscope.evaluation.selective import check_predictions, trace_risk
from leukoscope.images.packed import PackedImages
from leukoscope.reporting.html import to_data_uri

_PICTURE_SIDE = 160


def describe(
    predictions: pd.DataFrame,
    opinions: pd.DataFrame,
    split: str,
    smears: PackedImages,
    class_names: Sequence[str],
    most: int,
) -> dict[str, Any]:
    """Describe the predictions of one split for a report.

    Args:
        predictions: One row an image.
        opinions: Of the same images.
        split: Which of them.
        smears: The packed images.
        class_names: The classes in order.
        most: How many errors to picture.

    Returns:
        ``class_names``, ``split`` (the one that is judged), ``splits`` (all that there are), ``errors`` (the ids of
        images that were wrong), ``failures`` (pictures of some) and what ``trace_curves`` gives.
    """
    judged = predictions[predictions["split"] == split]
    return {
        "class_names": list(class_names),
        "split": split,
        "splits": list(dict.fromkeys(predictions["split"])),
        "errors": judged.loc[judged["label"] != judged["predicted"], "image_id"].tolist(),
        "failures": show_failures(predictions, split, smears, class_names, most),
        **trace_curves(predictions, opinions, split, class_names),
    }


def trace_curves(
    predictions: pd.DataFrame, opinions: pd.DataFrame, split: str, class_names: Sequence[str]
) -> dict[str, Any]:
    """Trace what the plots of a report show of one split.

    Args:
        predictions: Probabilities as the classifier gives them, and what it predicts of each, one row an image.
        opinions: Calibrated ones of the same images.
        split: Which of them.
        class_names: The classes in order.

    Returns:
        ``confusion`` (counts, a row a true class), ``roc`` (by class ``false_positive``, ``true_positive`` and
        ``threshold``; classes without images, or of all images, are left out), ``reliability`` (of the probabilities
        ``as_given`` and ``calibrated``: ``confidence``, ``right`` and ``images`` of each bin), ``risk`` (``coverage``,
        ``risk`` and ``confidence``).
    """
    from sklearn.metrics import confusion_matrix

    truth, as_given = select_split(predictions, split, class_names)
    _, calibrated = select_split(opinions, split, class_names)
    predicted = number_predicted(predictions, split, class_names)
    risk = trace_risk(*check_predictions(truth, calibrated, predicted))
    return {
        "confusion": confusion_matrix(truth, predicted, labels=range(len(class_names))).tolist(),
        "roc": {
            name: _trace_roc(truth == number, as_given[:, number])
            for number, name in enumerate(class_names)
            if 0 < (truth == number).sum() < len(truth)
        },
        "reliability": {
            name: _trace_reliability(truth, probabilities, predicted)
            for name, probabilities in (("as_given", as_given), ("calibrated", calibrated))
        },
        "risk": _as_lists(("coverage", "risk", "confidence"), risk),
    }


def select_curves(display: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Give the ROC curve of each class; of two classes that of the malignant one, whose mirror image the other is.

    Args:
        display: ``roc`` as ``trace_curves`` gives it, all ``class_names``, and which is the ``benign_class``.
    """
    curves = display["roc"]
    malignant = {name: curve for name, curve in curves.items() if name != display["benign_class"]}
    return malignant if len(display["class_names"]) == 2 and malignant else curves


def _trace_roc(positive: np.ndarray, scores: np.ndarray) -> dict[str, list[float]]:
    from sklearn.metrics import roc_curve

    false_positive, true_positive, threshold = roc_curve(positive, scores)
    return _as_lists(
        ("false_positive", "true_positive", "threshold"), (false_positive, true_positive, np.minimum(threshold, 1.0))
    )


def _trace_reliability(truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray) -> dict[str, list[float]]:
    bins = bin_confidence(truth, probabilities, predicted)
    some = bins[2] > 0
    return _as_lists(("confidence", "right", "images"), [bin_facts[some] for bin_facts in bins])


def _as_lists(names: Sequence[str], values: Sequence[np.ndarray]) -> dict[str, list[float]]:
    return {name: np.round(column, 6).tolist() for name, column in zip(names, values, strict=True)}


def show_failures(
    predictions: pd.DataFrame, split: str, smears: PackedImages, class_names: Sequence[str], most: int
) -> list[dict[str, Any]]:
    """Picture the images of a split that were wrong with the most confidence.

    Args:
        predictions: One row an image.
        split: Which of them.
        smears: The packed images.
        class_names: The classes in order.
        most: How many.

    Returns:
        For each ``image_id, label, predicted, confidence`` and ``picture``, the data of an HTML image.
    """
    rows = predictions[predictions["split"] == split]
    rows = rows.assign(confidence=rows[probability_columns(class_names)].max(axis=1))
    worst = rows[rows["label"] != rows["predicted"]].nlargest(most, "confidence")
    pixels = smears.pixels[smears.rows(worst["image_id"])]
    facts = worst[["image_id", "label", "predicted", "confidence"]].to_dict("records")
    return [failure | {"picture": encode_picture(image)} for failure, image in zip(facts, pixels, strict=True)]


def encode_picture(image: np.ndarray) -> str:
    """Make a small JPEG of an image, ``uint8 [height, width, 3]``, as the source of an HTML image."""
    content = io.BytesIO()
    picture = Image.fromarray(image)
    picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    picture.save(content, "JPEG", quality=88)
    return to_data_uri(content.getvalue(), "jpeg")
