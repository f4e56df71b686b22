"""Metrics and differences of classifiers trained with several seeds and tested on the same images.

Images and seeds are crossed: each seed's classifiers test every image. A metric then varies with both, as in a study
where several readers read the same cases. Both are random effects, images by whole groups, in the mixed model of
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

# The number of seeds from which a difference is attributed to the models rather than to single trainings.
SEEDS_FOR_REAL = 3
COLUMNS = ["first", "second", "seeds", "images", "groups", "difference", "low", "high", "seed_sd", "p"]


class Variance(NamedTuple):
    """The variance of a mean over seeds.

    Attributes:
        seeds: Contribution of the seeds, including the interaction of seeds and groups.
        cases: Further contribution of the groups of images, 0 or more; NaN with one group.
        degrees: Degrees of freedom of Student's t distribution of the mean divided by its standard error.
    """

    seeds: float
    cases: float
    degrees: float

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.seeds + self.cases))


def divide_variance(values: np.ndarray, groups: ArrayLike) -> Variance:
    """Divide the variance of a mean over seeds and images into a part for each.

    The mean squares are those of the crossed layout of seeds and groups, with groups of any size, each weighted by its
    number of images. No component is below zero, so the seeds' part is at least the interaction of seeds and groups. It
    has the degrees of freedom of Hillis 2007; with two seeds, their formula takes the larger of the two, since the test
    would reject too often otherwise. If few groups differ from zero, for example if two classifiers err on nearly the
    same images, the groups' part has only as many degrees of freedom as these groups provide (Satterthwaite 1946).

    Args:
        values: One value per seed and image, ``[seeds, n]``; two seeds or more.
        groups: The group of each image.
    """
    codes = number_groups(groups)
    seeds, images = values.shape
    count = codes.max() + 1
    by_seed = values.mean(axis=1)
    of_seeds = by_seed.var(ddof=1) / seeds
    # Residuals of each seed summed by group: groups, not images, are the random units.
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
    # Groups with zero difference carry no degrees of freedom: count the others, by their weight.
    telling = np.bincount(codes, values.mean(axis=0), minlength=count)
    effective = (telling**2).sum() ** 2 / (telling**4).sum() if telling.any() else 1.0
    total = at_least + cases
    by_seeds = of_seeds if seeds > 2 else at_least
    return Variance(at_least, cases, _find_degrees(total, (by_seeds, seeds - 1), (cases, max(effective - 1, 1.0))))


def compare_over_seeds(hits: Mapping[str, np.ndarray], groups: ArrayLike, confidence: float, seed: int) -> pd.DataFrame:
    """Compare the accuracies of models that were trained with the same seeds, pair by pair.

    With at least two seeds, both images and seeds are random effects. With one, the test is that of
    ``estimate_difference``: it applies to these trainings only, not to others.

    Args:
        hits: For each model, whether its prediction is right, boolean ``[seeds, n]``.
        groups: The group of each image.
        confidence: Confidence level of the intervals, and one minus the significance level of the tests.
        seed: Seed for the interval when there is only one training seed.

    Returns:
        One row per pair: ``first, second, seeds, images, groups, difference, low, high``, the first model's accuracy
        minus the second's; ``seed_sd``, the standard deviation of the difference between seeds, NaN with one; ``p`` and
        ``p_holm``; ``shown`` if ``p_holm`` is below the significance level, and ``real`` if that holds over at least
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
        first: Whether the first model's prediction is right, boolean ``[seeds, n]``.
        second: Whether the second model's prediction is right, boolean ``[seeds, n]``.
        groups: The group of each image.
        confidence: Confidence level of the interval.
        seed: Seed for the interval when there is only one training seed.

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
    """Correct the p-values for the number of pairs, and mark which differences are shown and which are real.

    Args:
        rows: For each pair ``first, second`` and the results of ``compare_two``.
        confidence: One minus the significance level of the tests.

    Returns:
        The table of ``compare_over_seeds``, with any further columns of the rows.
    """
    from statsmodels.stats.multitest import multipletests

    table = pd.DataFrame(rows, columns=None if rows else COLUMNS)
    table["p_holm"] = multipletests(table["p"], method="holm")[1] if rows else []
    shown = table["p_holm"] < 1 - confidence
    return table.assign(shown=shown, real=shown & (table["seeds"] >= SEEDS_FOR_REAL))


def estimate_mean(values: np.ndarray, groups: ArrayLike, confidence: float) -> tuple[Estimate, float]:
    """Estimate a mean over seeds and images, and test whether it is zero.

    Args:
        values: One value per seed and image, whole numbers ``[seeds, n]``; two seeds or more.
        groups: The group of each image.
        confidence: Confidence level of the interval.

    Returns:
        The mean with its interval, and p. If nothing varies, there is no interval, and p comes from permuting groups.
    """
    from scipy.stats import t

    mean = float(values.mean())
    variance = divide_variance(values, groups)
    # All seeds and groups agree exactly: there is no variance for Student's t, but the permutation test needs none.
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
    """Estimate the means over seeds of several metrics in 0-1, with intervals that account for groups and seeds.

    The contribution of the groups is measured by resampling them, identically for all seeds (the covariances of
    Obuchowski and Rockette). Their variance is that of a sample of groups, with one degree of freedom less than there
    are groups. The interval is Student's on the log-odds scale, so it stays between 0 and 1.

    Args:
        score: One function per seed that computes its metrics from the weight of each image, ``[n]``; NaN for undefined
            metrics.
        groups: The group of each image.
        resamples: Number of bootstrap draws of groups.
        confidence: Confidence level of the intervals.
        seed: Seed of the bootstrap.

    Returns:
        The estimate of each metric; the ends are NaN with one seed, or if the metric is undefined, 0 or 1, or never
        varies.
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
    scale = groups / (groups - 1)  # the bootstrap variance is smaller than that of groups by this factor
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
    """Combine the degrees of freedom of a variance's parts (Satterthwaite 1946)."""
    lost = sum(variance**2 / degrees for variance, degrees in parts)
    return float(total**2 / lost) if lost > 0 else np.inf
