"""What a search can look for: figures of validation images, by name."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from leukoscope.core.options import refuse_unknown_names

# The fewest images of an appearance cluster whose accuracy counts.
_FEWEST = 5
_MOST = 3
_LEAST = 1e-7  # a probability, so that one certain error leaves the loss a number, as Keras has it


class Objective(NamedTuple):
    """One figure of the validation images.

    Attributes:
        direction: ``minimize`` or ``maximize``.
        title: What it is, on an axis.
    """

    direction: Literal["minimize", "maximize"]
    title: str


OBJECTIVES = {
    "validation_loss": Objective("minimize", "Cross-entropy of validation images"),
    "validation_accuracy": Objective("maximize", "Accuracy on validation images"),
    "balanced_accuracy": Objective("maximize", "Balanced accuracy on validation images"),
    "worst_cluster": Objective("maximize", "Accuracy on the worst appearance cluster of validation"),
    "grey": Objective("maximize", "Accuracy on validation images in grey"),
    "milliseconds": Objective("minimize", "Milliseconds of prediction an image"),
}


def require_objectives(names: tuple[str, ...]) -> None:
    """Make sure that a search can look for these.

    Raises:
        ValueError: There is none, or more than a front is drawn of, one is unknown, or is named twice.
    """
    refuse_unknown_names(names, OBJECTIVES, ", of which search.objective is one or several")
    if not 1 <= len(names) <= _MOST or len(set(names)) < len(names):
        raise ValueError("search.objective names one to three figures, each once, as in validation_loss|grey")


def choose_clusters(images: int) -> int:
    """Choose into how many clusters of appearance so many validation images are divided."""
    return int(np.clip(images // (2 * _FEWEST), 1, 8))


def score(
    truth: np.ndarray, probabilities: np.ndarray, grey: np.ndarray, clusters: np.ndarray, seconds: float
) -> dict[str, float]:
    """Score validation images by all objectives.

    Args:
        truth: The class of each image, ``int [n]``.
        probabilities: ``float [n, classes]``.
        grey: The same of the images without colour.
        clusters: The appearance cluster of each image, ``int [n]``.
        seconds: How long their prediction took.

    Returns:
        A figure for each of ``OBJECTIVES``. ``worst_cluster`` is of the clusters of five images or more; of all
        together, where there is none.
    """
    right = probabilities.argmax(axis=1) == truth
    sizes = np.bincount(clusters)
    hits = np.bincount(clusters, weights=right)
    counting = sizes >= _FEWEST
    chances = np.clip(probabilities[np.arange(len(truth)), truth], _LEAST, 1)
    return {
        "validation_loss": float(-np.log(chances).mean()),
        "validation_accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[truth == number].mean() for number in np.unique(truth)])),
        "worst_cluster": float((hits[counting] / sizes[counting]).min() if counting.any() else right.mean()),
        "grey": float((grey.argmax(axis=1) == truth).mean()),
        "milliseconds": 1000 * seconds / len(truth),
    }


def select(scores: Mapping[str, float], names: tuple[str, ...]) -> list[float]:
    """Give the figures of some objectives.

    Raises:
        ValueError: One is no number.
    """
    values = [float(scores[name]) for name in names]
    if not np.isfinite(values).all():
        raise ValueError(f"{', '.join(names)} came out as {', '.join(map(str, values))}")
    return values
