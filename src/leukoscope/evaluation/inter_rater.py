"""Agreement beyond chance between readers who classify the same fields.

Classes are nominal. Ratings are class numbers ``[fields, readers]``, with ``MISSING`` where a reader gave none.
Every coefficient takes a weight per field, ``[fields]``, so that a bootstrap can resample fields.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from leukoscope.evaluation.intervals import Estimate, estimate_figures

MISSING = -1


def number_classes(labels: Any, class_names: Sequence[str]) -> np.ndarray:
    """Convert labels to class numbers; ``MISSING`` for anything that is not a class.

    Args:
        labels: Labels, of any shape.
        class_names: In the order of their numbers.
    """
    numbers = {name: number for number, name in enumerate(class_names)}
    labels_of_raters = np.asarray(labels, object)
    return np.array([numbers.get(label, MISSING) for label in labels_of_raters.ravel()], int).reshape(
        labels_of_raters.shape
    )


def count_ratings(ratings: np.ndarray, classes: int) -> np.ndarray:
    """Count how many readers chose each class.

    Args:
        ratings: Class numbers, ``[fields, readers]``.
        classes: Number of classes.

    Returns:
        ``[fields, classes]``.
    """
    return np.stack([(ratings == number).sum(axis=1) for number in range(classes)], axis=1).astype(float)


def measure_agreement_share(counts: np.ndarray, weights: np.ndarray) -> float:
    """Compute the share of reader pairs that agree, averaged over fields with at least two ratings.

    Args:
        counts: Counts from ``count_ratings``.
        weights: Weight of each field.

    Returns:
        From 0 to 1; NaN if no field has two ratings.
    """
    readers = counts.sum(axis=1)
    paired = readers > 1
    total = weights[paired].sum()
    if total == 0:
        return np.nan
    pair_counts = counts[paired]
    among = readers[paired]
    # k readers of a field make k (k - 1) ordered pairs; a class that n of them chose has n (n - 1) agreeing ones.
    agreeing = (pair_counts * (pair_counts - 1)).sum(axis=1) / (among * (among - 1))
    return float((weights[paired] * agreeing).sum() / total)


def measure_krippendorff_alpha(counts: np.ndarray, weights: np.ndarray) -> float:
    """Compute Krippendorff's alpha for nominal data (Krippendorff 2011, Computing Krippendorff's alpha-reliability).

    Fields with a single rating carry no information and are left out.

    Args:
        counts: Counts from ``count_ratings``.
        weights: Weight of each field.

    Returns:
        1 for full agreement, 0 for chance agreement; NaN if all ratings are of one class.
    """
    readers = counts.sum(axis=1)
    paired = readers > 1
    pair_counts = counts[paired]
    # The diagonal of the coincidence matrix: each pair counts 1 / (k - 1), so each rating counts once.
    shares = weights[paired] / (readers[paired] - 1)
    coinciding = (shares[:, None] * pair_counts * (pair_counts - 1)).sum()
    totals = (weights[paired, None] * pair_counts).sum(axis=0)
    ratings = totals.sum()
    # Chance agreement draws two ratings without replacement.
    by_chance = (totals * (totals - 1)).sum() / (ratings * (ratings - 1)) if ratings > 1 else 1.0
    return float(1 - (1 - coinciding / ratings) / (1 - by_chance)) if by_chance < 1 else np.nan


def measure_gwet_ac1(counts: np.ndarray, weights: np.ndarray) -> float:
    """Compute Gwet's AC1 (2008, Computing inter-rater reliability and its variance in the presence of high agreement).

    If one class is much more frequent than the others, kappa and alpha are low even for readers who nearly always
    agree; AC1 is not. Fields with a single rating count towards class frequencies, as in Gwet 2014, Handbook of
    inter-rater reliability.

    Args:
        counts: Counts from ``count_ratings``, with a column for every possible class.
        weights: Weight of each field.

    Returns:
        1 for full agreement, 0 for chance agreement; NaN if no field has two ratings, or there is only one class.
    """
    readers = counts.sum(axis=1)
    rated = readers > 0
    agreeing = measure_agreement_share(counts, weights)
    classes = counts.shape[1]
    if np.isnan(agreeing) or classes < 2:
        return np.nan
    shares = counts[rated] / readers[rated, None]
    frequencies = (weights[rated, None] * shares).sum(axis=0) / weights[rated].sum()
    # Gwet 2008: chance agreement is what readers agree on when guessing, not what frequent classes produce anyway.
    by_chance = (frequencies * (1 - frequencies)).sum() / (classes - 1)
    return float((agreeing - by_chance) / (1 - by_chance))


def measure_cohen_kappa(first: np.ndarray, second: np.ndarray, weights: np.ndarray, classes: int) -> float:
    """Compute unweighted Cohen's kappa of two readers (Cohen 1960, A coefficient of agreement for nominal scales).

    Scikit-learn's ``cohen_kappa_score`` returns the same, but is too slow for a bootstrap over many pairs.

    Args:
        first: The first reader's class numbers, ``[fields]``.
        second: The second reader's; fields that either has not rated are left out.
        weights: Weight of each field.
        classes: Number of classes.

    Returns:
        1 for full agreement, 0 for chance agreement; NaN if both name one class only, and chance explains everything.
    """
    both = (first != MISSING) & (second != MISSING)
    # One number per cell of the confusion matrix, so that a single weighted count fills it.
    pairs = first[both] * classes + second[both]
    table = np.bincount(pairs, weights[both], minlength=classes**2).reshape(classes, classes)
    total = table.sum()
    if total == 0:
        return np.nan
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1)) / total**2
    return float((np.trace(table) / total - by_chance) / (1 - by_chance)) if by_chance < 1 else np.nan


COEFFICIENTS: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "agreement": measure_agreement_share,
    "krippendorff_alpha": measure_krippendorff_alpha,
    "gwet_ac1": measure_gwet_ac1,
}


def estimate_agreement(
    ratings: np.ndarray, classes: int, groups: ArrayLike, resamples: int, confidence: float, seed: int
) -> dict[str, Estimate]:
    """Estimate the agreement of all readers: percent agreement, Krippendorff's alpha and Gwet's AC1, with intervals.

    Args:
        ratings: Class numbers, ``[fields, readers]``.
        classes: Number of classes.
        groups: The group of each field; whole groups are drawn.
        resamples: Number of bootstrap draws.
        confidence: Confidence level of the intervals.
        seed: Seed of the bootstrap.
    """
    counts = count_ratings(ratings, classes)
    if not (counts.sum(axis=1) > 1).any():
        return {name: Estimate.undefined() for name in COEFFICIENTS}

    def score(weights: np.ndarray) -> dict[str, float]:
        return {name: measure(counts, weights) for name, measure in COEFFICIENTS.items()}

    return estimate_figures(score, groups, resamples, confidence, seed)


def estimate_pair(
    first: np.ndarray,
    second: np.ndarray,
    classes: int,
    groups: ArrayLike,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Estimate]:
    """Estimate the agreement of two readers on the fields that both rated: percent agreement, kappa and AC1.

    Args:
        first: The first reader's class numbers, ``[fields]``.
        second: The second reader's class numbers.
        classes: Number of classes.
        groups: The group of each field; whole groups are drawn.
        resamples: Number of bootstrap draws.
        confidence: Confidence level of the intervals.
        seed: Seed of the bootstrap.
    """
    both = (first != MISSING) & (second != MISSING)
    first_classes = first[both]
    second_classes = second[both]
    chosen = np.asarray(groups)[both]
    if not both.any():
        return {name: Estimate.undefined() for name in ("agreement", "cohen_kappa", "gwet_ac1")}
    counts = count_ratings(np.column_stack([first_classes, second_classes]), classes)

    def score(weights: np.ndarray) -> dict[str, float]:
        return {
            "agreement": measure_agreement_share(counts, weights),
            "cohen_kappa": measure_cohen_kappa(first_classes, second_classes, weights, classes),
            "gwet_ac1": measure_gwet_ac1(counts, weights),
        }

    return estimate_figures(score, chosen, resamples, confidence, seed)
