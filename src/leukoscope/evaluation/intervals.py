"""Intervals by groups: a beta-binomial posterior for shares, a bootstrap of whole groups for other metrics."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from leukoscope.core.counts import count_of

logger = logging.getLogger(__name__)

# With errors in fewer groups than this, resampling sees too few of them.
FEW_GROUPS_WITH_ERRORS = 10
METHODS = {
    "share": "a beta-binomial posterior by groups",
    "inflated": "a reflected bootstrap of whole groups",
    "other": "a BCa bootstrap of whole groups",
}
_ALIKE = 1e-12  # rounding tolerance for a metric that is the same in every draw
# Numbers of points of two grids of log odds, and the ends of the first.
_COARSE = 141
_FINE = 241
_FURTHEST = 14.0
_CORRELATIONS = (np.arange(32) + 0.5) / 32
_NEGLIGIBLE = 20.0  # difference in log density below which a posterior counts as zero


class Estimate(NamedTuple):
    """A metric with its interval.

    Attributes:
        value: The metric on all images.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float

    def tabulate(self, name: str) -> dict[str, float]:
        """Return the value under its name, and the ends as ``<name>_low`` and ``<name>_high``."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}

    @classmethod
    def undefined(cls) -> Self:
        """Return an estimate with nothing known: all NaN."""
        return cls(np.nan, np.nan, np.nan)


def number_groups(groups: ArrayLike) -> np.ndarray:
    """Number the groups from 0, and return the number of each image's group, ``[n]``."""
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def count_groups_with_errors(hits: np.ndarray, groups: ArrayLike) -> int:
    """Count the groups that contain a wrong prediction.

    Args:
        hits: Which predictions are right, boolean ``[n]``.
        groups: The group of each image.
    """
    return len(np.unique(np.asarray(groups)[~hits]))


def warn_of_few_groups(groups_with_errors: int, what: str) -> None:
    """Log a warning if errors occur in too few groups.

    Args:
        groups_with_errors: Number of groups that contain a wrong prediction.
        what: What the intervals describe, for the message.
    """
    if groups_with_errors < FEW_GROUPS_WITH_ERRORS:
        logger.warning(
            "%s: the errors are in %s; with fewer than %d, bootstrap intervals are rough",
            what,
            count_of(groups_with_errors, "group"),
            FEW_GROUPS_WITH_ERRORS,
        )


def estimate_share(hits: np.ndarray, groups: ArrayLike, confidence: float) -> Estimate:
    """Estimate the share of images for which something holds, such as an accuracy, with its interval.

    Images of one group are similar, and carry less information than as many images of different groups. The number of
    hits in a group is modelled as beta-binomial, with one share and one intraclass correlation for all groups. The
    interval is the central posterior interval of the share, under Jeffreys' prior for the share and a uniform one for
    the correlation; with one image per group this is Jeffreys' interval (Brown, Cai and DasGupta 2001, Interval
    estimation for a binomial proportion), whose end is 0 or 1 if it holds for no image or for all.
    ``benchmarks/bench_coverage.py`` measures its coverage.

    Args:
        hits: Whether it holds for each image, boolean ``[n]``; or the share of several trials of an image, in 0-1.
        groups: The group of each image.
        confidence: Confidence level of the interval, such as 0.95.

    Returns:
        NaN without images; NaN ends if all images are in one group, which says nothing about other groups.
    """
    if not len(hits):
        return Estimate.undefined()
    codes = number_groups(groups)
    group_hits = np.bincount(codes, np.asarray(hits, float))
    sizes = np.bincount(codes)
    value = float(group_hits.sum() / sizes.sum())
    if len(sizes) < 2:
        return Estimate(value, np.nan, np.nan)
    low, high = _find_posterior_ends(group_hits, sizes, confidence)
    # If groups differ in size, the share of images can lie outside the posterior interval of the groups' share.
    return Estimate(value, min(low, value) if value > 0 else 0.0, max(high, value) if value < 1 else 1.0)


def _find_posterior_ends(hits_by_group: np.ndarray, sizes: np.ndarray, confidence: float) -> tuple[float, float]:
    from scipy.special import expit
    from scipy.stats import beta

    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if (sizes == 1).all():
        low, high = beta.ppf(tails, hits_by_group.sum() + 0.5, (sizes - hits_by_group).sum() + 0.5)
        return float(low), float(high)
    odds = np.linspace(-_FURTHEST, _FURTHEST, _COARSE)
    density = _trace_posterior(odds, hits_by_group, sizes)
    step = odds[1] - odds[0]
    around = odds[density > density.max() - _NEGLIGIBLE]
    odds = np.linspace(around[0] - step, around[-1] + step, _FINE)
    density = _trace_posterior(odds, hits_by_group, sizes)
    mass = np.exp(density - density.max())
    below = (np.cumsum(mass) - mass / 2) / mass.sum()
    low, high = expit(np.interp(tails, below, odds))
    return float(low), float(high)


def _trace_posterior(odds: np.ndarray, hits_by_group: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Compute the log density of the share's log odds, up to a constant, with the correlation integrated out."""
    from scipy.special import betaln, expit, log_expit, logsumexp

    spread = 1 / _CORRELATIONS - 1
    first, second = (expit(sign * odds)[:, None] * spread for sign in (1, -1))
    kinds, counts = np.unique(np.column_stack([hits_by_group, sizes]), axis=0, return_counts=True)
    likelihood = -counts.sum() * betaln(first, second)
    for (hits, images), count in zip(kinds, counts, strict=True):
        likelihood += count * betaln(first + hits, second + images - hits)
    # Jeffreys' prior Beta(1/2, 1/2), in log odds.
    return logsumexp(likelihood, axis=1) + (log_expit(odds) + log_expit(-odds)) / 2


def estimate_figures(
    score: Callable[[np.ndarray], dict[str, float]],
    groups: ArrayLike,
    resamples: int,
    confidence: float,
    seed: int,
    inflated: Collection[str] = (),
) -> dict[str, Estimate]:
    """Estimate several metrics of the same images, with intervals from resampling whole groups.

    The intervals are bias-corrected and accelerated (Efron 1987, Better bootstrap confidence intervals) over groups
    (Field and Welsh 2007, Bootstrapping clustered data).

    Args:
        score: Computes the metrics by name from the weight of each image, ``[n]``: how often it was drawn. NaN for an
            undefined metric, such as an AUC without images of a class; an interval leaves such draws out, and is NaN if
            they are more than half of all, or if no two draws differ.
        groups: The group of each image.
        resamples: Number of bootstrap draws of groups.
        confidence: Confidence level of the intervals.
        seed: Seed of the bootstrap.
        inflated: Metrics that resampling itself increases, such as a calibration error: their draws are reflected at
            the estimate (the basic bootstrap) if that widens the interval, which never goes below 0.
    """
    codes = number_groups(groups)
    count = codes.max() + 1
    rng = np.random.default_rng(seed)
    drawn = [score(np.bincount(rng.integers(count, size=count), minlength=count)[codes]) for _ in range(resamples)]
    without = [score((codes != group).astype(float)) for group in range(count)] if count > 1 else []
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    estimates = {}
    for name, value in score(np.ones(len(codes))).items():
        draws = _select_defined([figures[name] for figures in drawn])
        left_out = _select_defined([figures[name] for figures in without])
        if np.isnan(value) or 2 * len(draws) < resamples or np.ptp(draws) < _ALIKE:
            ends = np.array([np.nan, np.nan])
        elif name in inflated:
            ends = _reflect(value, draws, tails)
        else:
            ends = np.quantile(draws, _correct_tails(value, draws, left_out, tails))
        estimates[name] = Estimate(value, *ends.tolist())
    return estimates


def _reflect(value: float, draws: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Reflect the draws at the estimate; the upper end is at least theirs: the estimate may be small by chance."""
    low, high = np.quantile(draws, tails)
    return np.array([max(min(2 * value - high, value), 0.0), max(2 * value - low, high, value)])


def _select_defined(figures: Sequence[float]) -> np.ndarray:
    values = np.array(figures, float)
    return values[~np.isnan(values)]


def _correct_tails(value: float, draws: np.ndarray, left_out: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Adjust the tail probabilities for bias and acceleration: Efron 1987, equations 2.3 and 6.6."""
    from scipy.special import ndtr, ndtri

    below = ((draws < value).mean() + (draws <= value).mean()) / 2
    bias = ndtri(np.clip(below, 1 / (2 * len(draws)), 1 - 1 / (2 * len(draws))))
    apart = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = (apart**2).sum() ** 1.5
    acceleration = (apart**3).sum() / (6 * spread) if spread > 0 else 0.0
    moved = bias + ndtri(tails)
    return ndtr(bias + moved / (1 - acceleration * moved))
