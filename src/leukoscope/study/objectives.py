"""What a search can look for: figures of validation images, by name."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from leukoscope.core.errors import InputError
from leukoscope.core.options import refuse_unknown_names

# The fewest images of an appearance cluster or a series whose accuracy counts.
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
    "worst_series": Objective("maximize", "Accuracy on the worst series of validation"),
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


def require_series(names: tuple[str, ...], group_by: str) -> None:
    """Make sure that series are known where the worst of them is looked for.

    Args:
        names: Of what is looked for.
        group_by: The parameter ``splitting.group_by``.

    Raises:
        InputError: They are not.
    """
    if "worst_series" in names and group_by != "series":
        raise InputError(
            f"search.objective has worst_series, and splitting.group_by is '{group_by}', so that no series are known. "
            f"Give splitting.group_by=series, or look for worst_cluster. Nothing was run."
        )


def choose_clusters(images: int) -> int:
    """Choose into how many clusters of appearance so many validation images are divided."""
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
        grey: The same of the images without colour.
        clusters: The appearance cluster of each image, ``int [n]``.
        series: The same of the series; ``None`` where they are not known.
        seconds: How long their prediction took.

    Returns:
        A figure for each of ``OBJECTIVES``. ``worst_cluster`` and ``worst_series`` are of those of five images or more;
        of all together, where there is none. The latter is ``None`` where series are not known.
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
    """Give the share of images that are right in the worst part of those that count."""
    sizes = np.bincount(parts)
    hits = np.bincount(parts, weights=right)
    counting = sizes >= _FEWEST
    return float((hits[counting] / sizes[counting]).min() if counting.any() else right.mean())


def select(scores: Mapping[str, float | None], names: tuple[str, ...]) -> list[float]:
    """Give the figures of some objectives.

    Raises:
        ValueError: One is no number.
    """
    values = [np.nan if scores[name] is None else float(scores[name]) for name in names]  # type: ignore[arg-type]
    if not np.isfinite(values).all():
        raise ValueError(f"{', '.join(names)} came out as {', '.join(map(str, values))}")
    return values
