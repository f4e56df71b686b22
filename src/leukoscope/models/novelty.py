"""How unlike the training images a field is, by what a classifier's last layer sees of both."""

import numpy as np

_NEIGHBOUR = 5


def measure_novelty(known: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Give the distance of images to their fifth nearest training image.

    As Sun et al. 2022, Out-of-distribution detection with deep nearest neighbors, but with each channel brought to mean
    zero and standard deviation one, where they bring each image's features to length one: how strongly a network
    answers tells a field without cells (docs/figures.md has what either finds).

    Args:
        known: Features of the training images, ``[n, channels]``.
        features: Of the images in question, ``[m, channels]``.

    Returns:
        Root mean square over the channels, in standard deviations, ``float [m]``.
    """
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(known)
    neighbours = NearestNeighbors(n_neighbors=min(_NEIGHBOUR, len(known))).fit(scaler.transform(known))
    return neighbours.kneighbors(scaler.transform(features))[0][:, -1] / np.sqrt(known.shape[1])


def choose_limit(novelty: np.ndarray, false_alarms: float) -> float:
    """Choose the distance beyond which an image counts as unlike the training images.

    Args:
        novelty: Of images that are like them, but were not among them.
        false_alarms: The share of these that may be beyond it.
    """
    return float(np.quantile(novelty, 1 - false_alarms, method="higher"))
