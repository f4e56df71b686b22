"""Intervals of figures, by drawing whole groups of images again and again (the cluster bootstrap)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

logger = logging.getLogger(__name__)

# With fewer groups than these the intervals are too narrow (docs/adr/0012-figures-by-groups.md).
FEW_GROUPS = 30
_ALIKE = 1e-12  # what rounding may change in a figure that is the same in every draw


class Estimate(NamedTuple):
    """A figure with its interval.

    Attributes:
        value: On all images.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def number_groups(groups: Sequence[str]) -> np.ndarray:
    """Number the groups from 0: the number of each image's group, ``[n]``."""
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def warn_of_few_groups(groups: int, what: str) -> None:
    """Log that intervals are too narrow, if they are of few groups.

    Args:
        groups: How many there are.
        what: Of what the intervals are.
    """
    if groups < FEW_GROUPS:
        logger.warning(
            "%s: the intervals are of %d groups; with fewer than %d they are too narrow", what, groups, FEW_GROUPS
        )


def estimate_share(hits: np.ndarray, groups: Sequence[str], resamples: int, confidence: float, seed: int) -> Estimate:
    """Give the share of images for which something holds, such as an accuracy, with its interval.

    Images of one group are alike, and say less than as many images of different groups: groups are drawn, not images
    (Field and Welsh 2007, Bootstrapping clustered data).

    Args:
        hits: Whether it holds for each image, boolean ``[n]``.
        groups: The group of each image.
        resamples: How often groups are drawn.
        confidence: Of the interval, such as 0.95.
        seed: For the drawing.
    """
    from scipy.stats import bootstrap

    codes = number_groups(groups)
    sums = np.bincount(codes, hits.astype(float)), np.bincount(codes).astype(float)
    value = float(_divide(*sums))
    if np.ptp(sums[0] / sums[1]) < _ALIKE:  # every draw would be the same
        return Estimate(value, *_find_wilson_ends(value, len(sums[0]), confidence))
    interval = bootstrap(
        sums,
        _divide,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(value, float(interval.low), float(interval.high))


def _divide(hits: np.ndarray, images: np.ndarray, axis: int = -1) -> np.ndarray:
    return hits.sum(axis=axis) / images.sum(axis=axis)


def estimate_figures(
    score: Callable[[np.ndarray], dict[str, float]],
    groups: Sequence[str],
    resamples: int,
    confidence: float,
    seed: int,
    shares: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Estimate]:
    """Give several figures of the same images with their intervals, as ``estimate_share`` does for one share.

    Args:
        score: Computes the figures by name from the weight of each image, ``[n]``: how often it was drawn. NaN where
            one is undefined, as an AUC without images of a class; an interval leaves such draws out, and is NaN where
            they are more than half of all, or where no two draws differ and the figure is no share.
        groups: The group of each image.
        resamples: How often groups are drawn.
        confidence: Of the intervals.
        seed: For the drawing.
        shares: Of figures that are a share of images, of which images, boolean ``[n]``.
    """
    codes = number_groups(groups)
    count = codes.max() + 1
    rng = np.random.default_rng(seed)
    drawn = [score(np.bincount(rng.integers(count, size=count), minlength=count)[codes]) for _ in range(resamples)]
    counting = {name: len(np.unique(codes[some])) for name, some in (shares or {}).items()}
    return {
        name: Estimate(value, *_find_ends(value, [draw[name] for draw in drawn], counting.get(name, 0), confidence))
        for name, value in score(np.ones(len(codes))).items()
    }


def _find_ends(value: float, draws: Sequence[float], counting: int, confidence: float) -> tuple[float, float]:
    """Find the ends of an interval; ``counting`` is the number of groups that a share is of, 0 for other figures."""
    defined = np.array(draws)[~np.isnan(draws)]
    if 2 * len(defined) < len(draws) or np.isnan(value):
        return np.nan, np.nan
    if np.ptp(defined) < _ALIKE:
        return _find_wilson_ends(value, counting, confidence)
    tail = (1 - confidence) / 2
    return tuple(np.quantile(defined, [tail, 1 - tail]).tolist())


def _find_wilson_ends(share: float, groups: int, confidence: float) -> tuple[float, float]:
    """Find the ends where all draws are alike: as many groups as there are can still be chance (Wilson 1927)."""
    from statsmodels.stats.proportion import proportion_confint

    if groups < 2:
        return np.nan, np.nan
    low, high = proportion_confint(share * groups, groups, 1 - confidence, method="wilson")
    return float(low), float(high)
