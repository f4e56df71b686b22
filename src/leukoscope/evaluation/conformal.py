"""Conformal prediction sets: all classes that an image may be of, at a stated confidence."""

from collections.abc import Sequence

import numpy as np

_EMPTY = "none"


def measure_nonconformity(truth: np.ndarray, probabilities: np.ndarray) -> list[list[float]]:
    """Give one minus the probability of the true class of each image, a list a class."""
    strangeness = 1 - probabilities[np.arange(len(truth)), truth]
    return [strangeness[truth == number].tolist() for number in range(probabilities.shape[1])]


def form_prediction_sets(
    probabilities: np.ndarray, nonconformity: Sequence[Sequence[float]], confidence: float
) -> np.ndarray:
    """Form conformal prediction sets that hold the true class as often in each class as stated.

    Crepes computes them, class by class (Mondrian), from one minus the probability of the true class. The promise is
    for images like those of validation; a set may be empty, where no class is like what validation showed of it.

    Args:
        probabilities: As the classifier gives them, ``[n, classes]``.
        nonconformity: As in ``Calibration``.
        confidence: How often a set is to hold the true class.

    Returns:
        Whether each class is in each image's set, boolean ``[n, classes]``.
    """
    from crepes import ConformalClassifier

    columns = []
    for number, scores in enumerate(nonconformity):
        if not len(scores):  # nothing was seen of the class that could rule it out
            columns.append(np.ones(len(probabilities)))
            continue
        learned = ConformalClassifier().fit(np.array(scores))
        strangeness = 1 - probabilities[:, [number]]
        columns.append(learned.predict_set(strangeness, confidence=confidence, smoothing=False)[:, 0])
    return np.column_stack(columns) > 0


def name_sets(sets: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Put prediction sets into words: the classes in order, joined by `` or ``; ``none`` for an empty set.

    Args:
        sets: As ``form_prediction_sets`` gives them, ``[n, classes]``.
        class_names: The classes in order.
    """
    words = [" or ".join(name for name, there in zip(class_names, row, strict=True) if there) for row in sets]
    return np.array([text or _EMPTY for text in words], dtype=object)
