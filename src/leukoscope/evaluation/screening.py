"""Screening: the malignant probability from which a field is predicted malignant."""

import logging
from collections.abc import Sequence

import numpy as np

logger = logging.getLogger(__name__)

_UNKNOWN = 0.5


def score_malignant(probabilities: np.ndarray, benign: Sequence[int]) -> np.ndarray:
    """Compute the probability of any class but the benign ones, ``[n]``, from 0 to 1.

    Args:
        probabilities: ``[n, classes]``.
        benign: The numbers of the benign classes.
    """
    return np.clip(1 - probabilities[:, list(benign)].sum(axis=1, dtype=float), 0, 1)


def choose_operating_point(malignant: np.ndarray, scores: np.ndarray, sensitivity: float) -> float:
    """Choose the probability from which a field is predicted malignant.

    Of all thresholds with the wanted sensitivity, take the one with the fewest benign images predicted malignant; of
    equals, the most sensitive; and place it in the middle of the gap between the two scores around it.

    Args:
        malignant: Which validation images are malignant, boolean ``[n]``.
        scores: Their malignant probabilities, ``[n]``, 0-1.
        sensitivity: The share of malignant images that must be found.
    """
    if malignant.all() or not malignant.any():
        logger.warning("The validation images are all benign or all malignant: the operating point is %g", _UNKNOWN)
        return _UNKNOWN
    levels = np.unique(scores)[::-1]
    sensitivities = np.array([(scores[malignant] >= level).mean() for level in levels])
    false_alarms = np.array([(scores[~malignant] >= level).mean() for level in levels])
    enough = np.flatnonzero(sensitivities >= sensitivity)
    best = min(enough, key=lambda place: (false_alarms[place], -sensitivities[place]))
    below = levels[best + 1] if best + 1 < len(levels) else 0.0
    return float((levels[best] + below) / 2)
