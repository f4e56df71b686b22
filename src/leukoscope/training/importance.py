"""Permutation importance of the groups of measurements for a classical classifier."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from leukoscope.features.fields import list_features
from leukoscope.models.crafted import in_one_thread

_SHUFFLES = 5


@in_one_thread()
def measure_importance(
    estimator: Any, features: np.ndarray, classes: np.ndarray, groups: Sequence[str], seed: int
) -> dict[str, float]:
    """Measure the accuracy lost when a group of measurements is taken from another image (Breiman 2001).

    Args:
        estimator: A fitted classifier.
        features: Features of images that it was not fitted on, ``[n, features]``.
        classes: The class index of each image, ``[n]``.
        groups: Groups of the features.
        seed: Seed of the shuffling.

    Returns:
        By group, the accuracy minus its mean over several joint shuffles of the group's columns.
    """
    rng = np.random.default_rng(seed)
    columns = list_features(tuple(groups))
    whole = (estimator.predict(features) == classes).mean()
    lost = {}
    for group in groups:
        own = np.isin(columns, list_features((group,)))
        accuracies = []
        for _ in range(_SHUFFLES):
            shuffled = features.copy()
            shuffled[:, own] = rng.permutation(features)[:, own]
            accuracies.append((estimator.predict(shuffled) == classes).mean())
        lost[group] = float(whole - np.mean(accuracies))
    return lost
