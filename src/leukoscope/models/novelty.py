"""How unlike the training images a field is, by what a classifier's last layer sees of both."""

from functools import cached_property
from typing import Any

import numpy as np

_NEIGHBOUR = 5


class KnownImages:
    """What a classifier's last layer sees of the images that it learned from, to hold others against.

    Each channel is brought to mean zero and standard deviation one; distances are root mean squares over the channels,
    in standard deviations.

    Args:
        features: Of the training images, ``[n, channels]``.
    """

    def __init__(self, features: np.ndarray) -> None:
        self._features = features

    def measure_novelty(self, features: np.ndarray) -> np.ndarray:
        """Give the distance of images to their fifth nearest training image.

        As Sun et al. 2022, Out-of-distribution detection with deep nearest neighbors, where each image's features are
        brought to length one: how strongly a network answers tells a field without cells (docs/figures.md has what
        either finds).

        Args:
            features: Of the images in question, ``[m, channels]``.

        Returns:
            ``float [m]``.
        """
        return self.find_nearest(features, _NEIGHBOUR)[1][:, -1]

    def find_nearest(self, features: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the training images that images resemble most, the nearest first.

        Args:
            features: Of the images in question, ``[m, channels]``.
            number: How many of them; fewer if there are not so many.

        Returns:
            Their rows among the known ones, and their distances, ``[m, number]`` each.
        """
        scaler, neighbours = self._fitted
        wanted = min(number, len(self._features))
        distances, rows = neighbours.kneighbors(scaler.transform(features), wanted)
        return rows, distances / np.sqrt(self._features.shape[1])

    @cached_property
    def _fitted(self) -> tuple[Any, Any]:
        from sklearn.neighbors import NearestNeighbors
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(self._features)
        return scaler, NearestNeighbors().fit(scaler.transform(self._features))


def choose_limit(novelty: np.ndarray, false_alarms: float) -> float:
    """Choose the distance beyond which an image counts as unlike the training images.

    Args:
        novelty: Of images that are like them, but were not among them.
        false_alarms: The share of these that may be beyond it.
    """
    return float(np.quantile(novelty, 1 - false_alarms, method="higher"))
