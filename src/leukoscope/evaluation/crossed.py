"""Figures and differences of classifiers that were trained with several seeds and tested on the same images.

Images and seeds are crossed: each seed's classifiers test every image. A figure then varies with either, as it does
where several readers read the same cases. Both are random here, images by whole groups, in the mixed model of
Dorfman, Berbaum and Metz 1992 (Receiver operating characteristic rating analysis) and Obuchowski and Rockette 1995
(Hypothesis testing of diagnostic accuracy for multiple readers and multiple tests), with the degrees of freedom of
Hillis 2007 (A comparison of denominator degrees of freedom methods for multiple observer ROC analysis):
``docs/adr/0046-a-study-holds-seeds.md``.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from leukoscope.evaluation.intervals import Estimate, number_groups
from leukoscope.evaluation.significance import estimate_difference, permute_groups

# From how many seeds on a difference is said to be of the models, and not of the trainings at hand.
SEEDS_FOR_REAL = 3
COLUMNS = ["first", "second", "seeds", "images", "groups", "difference", "low", "high", "seed_sd", "p"]


class Variance(NamedTuple):
    """The variance of a mean over seeds.

    Attributes:
        seeds: What the seeds add, and what seeds and groups add together.
        cases: What the groups of images add beyond that, 0 or more; NaN with one group.
        degrees: Of freedom, of Student's distribution that the mean over its standard error then has.
    """

    seeds: float
    cases: float
    degrees: float

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.seeds + self.cases))


def divide_variance(values: np.ndarray, groups: ArrayLike) -> Variance:
    """Divide the variance of the mean over seeds and images between the two.

    The mean squares are those of the crossed layout of seeds and groups, with groups of any size: each counts by its
    images. No component is below zero, so that the seeds' part is at least what seeds and groups add together. It
    has the degrees of freedom of Hillis 2007; with two seeds those of the larger of the two, without which the test
    would reject too often. Where few groups differ from zero, as where two classifiers err on nearly the same images,
    the part of the groups has no more degrees of freedom than these groups give it (Satterthwaite 1946).

    Args:
        values: Of each seed and image, ``[seeds, n]``; two seeds or more.
        groups: The group of each image.
    """
    codes = number_groups(groups)
    seeds, images = values.shape
    count = codes.max() + 1
    by_seed = values.mean(axis=1)
    of_seeds = by_seed.var(ddof=1) / seeds
    # Residuals of each seed summed by group: groups, not images, are what is drawn at random.
    sums = np.array(
        [np.bincount(codes, row - mean, minlength=count) for row, mean in zip(values, by_seed, strict=True)]
    )
    means = sums.mean(axis=0)
    if count < 2:
        return Variance(float(of_seeds), np.nan, np.nan)
    # Mean squares of cases and of the interaction, on the scale of the variance of the mean.
    scale = count / (count - 1) / images**2
    of_cases = scale * (means**2).sum()
    of_both = scale * ((sums - means) ** 2).sum() / (seeds - 1) / seeds
    # A component of variance cannot be negative, though its estimate can (Hillis 2007).
    at_least = float(max(of_seeds, of_both))
    cases = float(max(of_cases - of_both, 0.0))
    # Groups on which the difference is zero carry no degrees of freedom: count those that do, by their weight.
    telling = np.bincount(codes, values.mean(axis=0), minlength=count)
    effective = (telling**2).sum() ** 2 / (telling**4).sum() if telling.any() else 1.0
    total = at_least + cases
    by_seeds = of_seeds if seeds > 2 else at_least
    return Variance(at_least, cases, _find_degrees(total, (by_seeds, seeds - 1), (cases, max(effective - 1, 1.0))))


def compare_over_seeds(hits: Mapping[str, np.ndarray], groups: ArrayLike, confidence: float, seed: int) -> pd.DataFrame:
    """Compare the accuracies of models that were trained with the same seeds, pair by pair.

    With two seeds or more both images and seeds are random. With one, the test is that of ``estimate_difference``: of
    the trainings at hand, it says nothing of others.

    Args:
        hits: For each model whether it is right about each image, boolean ``[seeds, n]``.
        groups: The group of each image.
        confidence: Of the intervals, and one minus the level of the tests.
        seed: For the interval where there is one seed.

    Returns:
        One row a pair: ``first, second, seeds, images, groups, difference, low, high``, the first one's accuracy less
        the second one's; ``seed_sd``, the standard deviation of the difference between seeds, NaN with one; ``p`` and
        ``p_holm``; ``shown`` where the latter is below the level, and ``real`` where it is so over at least
        ``SEEDS_FOR_REAL`` seeds.
    """
    rows = []
    for first, second in combinations(hits, 2):
        row = compare_two(hits[first], hits[second], groups, confidence, seed)
        rows.append({"first": first, "second": second} | row)
    return correct_pairs(rows, confidence)


def compare_two(
    first: np.ndarray, second: np.ndarray, groups: ArrayLike, confidence: float, seed: int
) -> dict[str, float]:
    """Compare the accuracies of two models as ``compare_over_seeds`` does.

    Args:
        first: Whether the one is right about each image, boolean ``[seeds, n]``.
        second: The same of the other.
        groups: The group of each image.
        confidence: Of the interval.
        seed: For the interval where there is one seed.

    Returns:
        ``seeds, images, groups, difference, low, high, seed_sd, p``.
    """
    difference = first.astype(float) - second
    if len(difference) == 1:
        estimate, p = estimate_difference(first[0], second[0], groups, confidence, seed)
    else:
        estimate, p = estimate_mean(difference, groups, confidence)
    size = {"seeds": len(difference), "images": difference.shape[1], "groups": int(number_groups(groups).max()) + 1}
    spread = float(difference.mean(axis=1).std(ddof=1)) if len(difference) > 1 else np.nan
    ends = {"difference": estimate.value, "low": estimate.low, "high": estimate.high}
    return size | ends | {"seed_sd": spread, "p": p}


def correct_pairs(rows: Sequence[Mapping[str, Any]], confidence: float) -> pd.DataFrame:
    """Correct the p of all pairs for their number, and say which differences are shown and which are real.

    Args:
        rows: ``first, second`` and what ``compare_two`` gives, of each pair.
        confidence: One minus the level of the tests.

    Returns:
        As ``compare_over_seeds`` has it, and what else the rows have.
    """
    from statsmodels.stats.multitest import multipletests

    table = pd.DataFrame(rows, columns=None if rows else COLUMNS)
    table["p_holm"] = multipletests(table["p"], method="holm")[1] if rows else []
    shown = table["p_holm"] < 1 - confidence
    return table.assign(shown=shown, real=shown & (table["seeds"] >= SEEDS_FOR_REAL))


def estimate_mean(values: np.ndarray, groups: ArrayLike, confidence: float) -> tuple[Estimate, float]:
    """Estimate a mean over seeds and images, and test whether it is zero.

    Args:
        values: Of each seed and image, whole numbers ``[seeds, n]``; two seeds or more.
        groups: The group of each image.
        confidence: Of the interval.

    Returns:
        The mean with its interval, and p. Where nothing varies there is no interval, and p is that of swapping groups.
    """
    from scipy.stats import t

    mean = float(values.mean())
    variance = divide_variance(values, groups)
    # All seeds and groups agree to the last image: Student has no variance to divide by, swapping groups needs none.
    if not variance.error > 0:
        return Estimate(mean, np.nan, np.nan), permute_groups(np.bincount(number_groups(groups), values.sum(axis=0)))
    reach = t.ppf((1 + confidence) / 2, variance.degrees) * variance.error
    p = float(2 * t.sf(abs(mean) / variance.error, variance.degrees))
    return Estimate(mean, mean - reach, mean + reach), p


def estimate_over_seeds(
    score: Sequence[Callable[[np.ndarray], dict[str, float]]],
    groups: ArrayLike,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Estimate]:
    """Give the means over seeds of several figures in 0-1, with intervals that hold groups and seeds.

    What groups add is measured by drawing them, the same for all seeds (the covariances of Obuchowski and Rockette).
    Their variance is that of a sample of groups, with as many degrees of freedom as there are groups, less one.
    The interval is Student's of the log odds, so that it stays between 0 and 1.

    Args:
        score: For each seed what computes its figures from the weight of each image, ``[n]``; NaN where one is
            undefined.
        groups: The group of each image.
        resamples: How often groups are drawn.
        confidence: Of the intervals.
        seed: For the drawing.

    Returns:
        For each figure its estimate; the ends are NaN with one seed, or where it is undefined, 0 or 1, or never varies.
    """
    codes = number_groups(groups)
    count = codes.max() + 1
    rng = np.random.default_rng(seed)
    whole = pd.DataFrame([score_seed(np.ones(len(codes))) for score_seed in score])
    drawn: list[list[dict[str, float]]] = []
    for _ in range(resamples if len(score) > 1 and count > 1 else 0):
        weights = np.bincount(rng.integers(count, size=count), minlength=count)[codes]
        drawn.append([score_seed(weights) for score_seed in score])
    figures = {}
    for name in whole:
        draws = np.array([[figure[name] for figure in row] for row in drawn], float)
        figures[str(name)] = _estimate_drawn(whole[name].to_numpy(float), draws, int(count), confidence)
    return figures


def _estimate_drawn(values: np.ndarray, draws: np.ndarray, groups: int, confidence: float) -> Estimate:
    from scipy.special import expit, logit
    from scipy.stats import t

    value = float(values.mean())
    seeds = len(values)
    draws = draws[~np.isnan(draws).any(axis=1)] if len(draws) else draws
    if seeds < 2 or len(draws) < 2 or not 0 < value < 1:
        return Estimate(value, np.nan, np.nan)
    of_seeds = float(values.var(ddof=1) / seeds)
    scale = groups / (groups - 1)  # draws with replacement vary less by this than groups do
    # The variance of the mean over seeds is the covariance between seeds, up to the interaction.
    of_cases = scale * draws.mean(axis=1).var(ddof=1)
    of_both = max(scale * draws.var(axis=0, ddof=1).mean() - of_cases, 0.0) / (seeds - 1)
    cases = float(max(of_cases - of_both, 0.0))
    total = max(of_seeds, of_both) + cases
    # The delta method: the derivative of the log odds is 1 / (p (1 - p)).
    error = np.sqrt(total) / (value * (1 - value))  # of the log odds
    if not error > 0:
        return Estimate(value, np.nan, np.nan)
    by_seeds = of_seeds if seeds > 2 else total - cases
    degrees = _find_degrees(total, (by_seeds, seeds - 1), (cases, groups - 1))
    reach = t.ppf((1 + confidence) / 2, degrees) * error
    return Estimate(value, *(float(expit(logit(value) + sign * reach)) for sign in (-1, 1)))


def _find_degrees(total: float, *parts: tuple[float, float]) -> float:
    """Give the degrees of freedom of a variance of which each part has its own (Satterthwaite 1946)."""
    lost = sum(variance**2 / degrees for variance, degrees in parts)
    return float(total**2 / lost) if lost > 0 else np.inf
