"""What each group of measurements is worth to a classical classifier."""

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
    """Measure how much accuracy is lost where a group of measurements is that of another image (Breiman 2001).

    Args:
        estimator: Fitted.
        features: Of images that it was not fitted on, ``[n, features]``.
        classes: The number of each image's class, ``[n]``.
        groups: Of the features.
        seed: For the shuffling.

    Returns:
        The accuracy less its mean over some shuffles of all columns of a group together, by group.
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
