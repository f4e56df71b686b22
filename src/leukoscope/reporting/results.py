"""What a report shows of a classifier, in plain lists that JSON can hold."""

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
        predictions: One row per image.
        opinions: Opinions on the same images.
        split: The split to describe.
        smears: The packed images.
        class_names: The classes in order.
        most: Maximum number of errors to show as pictures.

    Returns:
        ``class_names``, ``split`` (the one described), ``splits`` (all in the table), ``errors`` (ids of the wrongly
        predicted images), ``failures`` (pictures of some) and the entries of ``trace_curves``.
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
    """Compute the curves and tables behind a report's plots of one split.

    Args:
        predictions: The classifier's probabilities and the predicted class, one row per image.
        opinions: Calibrated probabilities of the same images.
        split: The split to describe.
        class_names: The classes in order.

    Returns:
        ``confusion`` (counts, one row per true class), ``roc`` (for each class ``false_positive``, ``true_positive``
        and ``threshold``; classes without images, or with all of them, are left out), ``reliability`` (for the
        probabilities ``as_given`` and ``calibrated``: ``confidence``, ``right`` and ``images`` of each bin), ``risk``
        (``coverage``, ``risk`` and ``confidence``).
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
    """Select each class's ROC curve; with two classes only the malignant one's, since the other mirrors it.

    Args:
        display: ``roc`` from ``trace_curves``, all ``class_names``, and the ``benign_class``.
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
    """Show the wrongly predicted images of a split with the highest confidence as pictures.

    Args:
        predictions: One row per image.
        split: The split to choose from.
        smears: The packed images.
        class_names: The classes in order.
        most: Maximum number of pictures.

    Returns:
        For each image ``image_id, label, predicted, confidence`` and ``picture``, the data URI of an HTML image.
    """
    rows = predictions[predictions["split"] == split]
    rows = rows.assign(confidence=rows[probability_columns(class_names)].max(axis=1))
    worst = rows[rows["label"] != rows["predicted"]].nlargest(most, "confidence")
    pixels = smears.pixels[smears.rows(worst["image_id"])]
    facts = worst[["image_id", "label", "predicted", "confidence"]].to_dict("records")
    return [failure | {"picture": encode_picture(image)} for failure, image in zip(facts, pixels, strict=True)]


def encode_picture(image: np.ndarray) -> str:
    """Encode an image, ``uint8 [height, width, 3]``, as a small JPEG data URI for an HTML image."""
    content = io.BytesIO()
    picture = Image.fromarray(image)
    picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    picture.save(content, "JPEG", quality=88)
    return to_data_uri(content.getvalue(), "jpeg")
