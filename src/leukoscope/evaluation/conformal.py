"""Conformal prediction sets: all classes that an image may belong to, at a stated confidence."""

from collections.abc import Sequence

import numpy as np

_EMPTY = "none"


def measure_nonconformity(truth: np.ndarray, probabilities: np.ndarray) -> list[list[float]]:
    """Compute one minus the probability of the true class for each image, as one list per class."""
    strangeness = 1 - probabilities[np.arange(len(truth)), truth]
    return [strangeness[truth == number].tolist() for number in range(probabilities.shape[1])]


def form_prediction_sets(
    probabilities: np.ndarray, nonconformity: Sequence[Sequence[float]], confidence: float
) -> np.ndarray:
    """Form conformal prediction sets that contain the true class with the stated confidence in each class.

    Computed by crepes class by class (Mondrian), from one minus the probability of the true class. The guarantee
    applies to images like the validation images; a set is empty if the image resembles the validation images of no
    class.

    Args:
        probabilities: The classifier's output, ``[n, classes]``.
        nonconformity: Nonconformity scores as in ``Calibration``.
        confidence: The wanted share of sets that contain the true class.

    Returns:
        Whether each class is in each image's set, boolean ``[n, classes]``.
    """
    from crepes import ConformalClassifier

    columns = []
    for number, scores in enumerate(nonconformity):
        if not len(scores):  # no validation image of the class, so it cannot be ruled out
            columns.append(np.ones(len(probabilities)))
            continue
        learned = ConformalClassifier().fit(np.array(scores))
        strangeness = 1 - probabilities[:, [number]]
        columns.append(learned.predict_set(strangeness, confidence=confidence, smoothing=False)[:, 0])
    return np.column_stack(columns) > 0


def name_sets(sets: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Format prediction sets as text: the classes in order, joined by `` or ``; ``none`` for an empty set.

    Args:
        sets: Prediction sets from ``form_prediction_sets``, ``[n, classes]``.
        class_names: The classes in order.
    """
    words = [" or ".join(name for name, there in zip(class_names, row, strict=True) if there) for row in sets]
    return np.array([text or _EMPTY for text in words], dtype=object)
