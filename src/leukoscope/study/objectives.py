"""The objectives of a search: metrics of the validation images, by name."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from leukoscope.core.errors import InputError
from leukoscope.core.options import refuse_unknown_names

# Fewest images for the accuracy of an appearance cluster or a series to count.
_FEWEST = 5
_MOST = 3
_LEAST = 1e-7  # a probability, clipped as in Keras, so that a single certain error does not make the loss infinite


class Objective(NamedTuple):
    """One metric of the validation images.

    Attributes:
        direction: ``minimize`` or ``maximize``.
        title: Title of an axis.
    """

    direction: Literal["minimize", "maximize"]
    title: str


OBJECTIVES = {
    "validation_loss": Objective("minimize", "Cross-entropy of validation images"),
    "validation_accuracy": Objective("maximize", "Accuracy on validation images"),
    "balanced_accuracy": Objective("maximize", "Balanced accuracy on validation images"),
    "worst_cluster": Objective("maximize", "Accuracy on the worst appearance cluster of validation"),
    "worst_series": Objective("maximize", "Accuracy on the worst series of validation"),
    "grey": Objective("maximize", "Accuracy on validation images in grey"),
    "milliseconds": Objective("minimize", "Milliseconds of prediction an image"),
}


def require_objectives(names: tuple[str, ...]) -> None:
    """Check that a search can optimise the named objectives.

    Raises:
        ValueError: There are none or more than can be drawn, one is unknown, or one is named twice.
    """
    refuse_unknown_names(names, OBJECTIVES, ", of which search.objective is one or several")
    if not 1 <= len(names) <= _MOST or len(set(names)) < len(names):
        raise ValueError("search.objective names one to three figures, each once, as in validation_loss|grey")


def require_series(names: tuple[str, ...], group_by: str) -> None:
    """Check that series are known if the worst of them is an objective.

    Args:
        names: Names of the objectives.
        group_by: The parameter ``splitting.group_by``.

    Raises:
        InputError: The series are unknown.
    """
    if "worst_series" in names and group_by != "series":
        raise InputError(
            f"search.objective has worst_series, and splitting.group_by is '{group_by}', so that no series are known. "
            f"Give splitting.group_by=series, or look for worst_cluster. Nothing was run."
        )


def choose_clusters(images: int) -> int:
    """Choose the number of appearance clusters for a number of validation images."""
    return int(np.clip(images // (2 * _FEWEST), 1, 8))


def score(
    truth: np.ndarray,
    probabilities: np.ndarray,
    grey: np.ndarray,
    clusters: np.ndarray,
    series: np.ndarray | None,
    seconds: float,
) -> dict[str, float | None]:
    """Score validation images by all objectives.

    Args:
        truth: The class of each image, ``int [n]``.
        probabilities: ``float [n, classes]``.
        grey: The probabilities of the same images without colour.
        clusters: The appearance cluster of each image, ``int [n]``.
        series: The series of each image, ``int [n]``; ``None`` if unknown.
        seconds: Duration of the prediction.

    Returns:
        The value of each of ``OBJECTIVES``. ``worst_cluster`` and ``worst_series`` consider parts of at least five
        images, or all images together if there are no such parts; ``worst_series`` is ``None`` if series are unknown.
    """
    right = probabilities.argmax(axis=1) == truth
    chances = np.clip(probabilities[np.arange(len(truth)), truth], _LEAST, 1)
    return {
        "validation_loss": float(-np.log(chances).mean()),
        "validation_accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[truth == number].mean() for number in np.unique(truth)])),
        "worst_cluster": _find_worst(right, clusters),
        "worst_series": None if series is None else _find_worst(right, series),
        "grey": float((grey.argmax(axis=1) == truth).mean()),
        "milliseconds": 1000 * seconds / len(truth),
    }


def _find_worst(right: np.ndarray, parts: np.ndarray) -> float:
    """Compute the accuracy in the worst part, among the parts that count."""
    sizes = np.bincount(parts)
    hits = np.bincount(parts, weights=right)
    counting = sizes >= _FEWEST
    return float((hits[counting] / sizes[counting]).min() if counting.any() else right.mean())


def select(scores: Mapping[str, float | None], names: tuple[str, ...]) -> list[float]:
    """Return the values of the named objectives.

    Raises:
        ValueError: A value is not a finite number.
    """
    values = [np.nan if scores[name] is None else float(scores[name]) for name in names]  # type: ignore[arg-type]
    if not np.isfinite(values).all():
        raise ValueError(f"{', '.join(names)} came out as {', '.join(map(str, values))}")
    return values
