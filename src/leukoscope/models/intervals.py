"""Intervals of figures, by drawing whole groups of images again and again (the cluster bootstrap)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


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
    from statsmodels.stats.proportion import proportion_confint

    codes = number_groups(groups)
    sums = np.bincount(codes, hits.astype(float)), np.bincount(codes).astype(float)
    value = float(_divide(*sums))
    if len(sums[0]) < 2:
        return Estimate(value, np.nan, np.nan)
    if value in (0.0, 1.0):  # every draw would be the same: as many groups as there are can still be chance
        low, high = proportion_confint(value * len(sums[0]), len(sums[0]), 1 - confidence, method="wilson")
        return Estimate(value, float(low), float(high))
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
) -> dict[str, Estimate]:
    """Give several figures of the same images with their intervals, as ``estimate_share`` does for one share.

    Args:
        score: Computes the figures by name from the weight of each image, ``[n]``: how often it was drawn. NaN where
            one is undefined, as an AUC without images of a class; an interval leaves such draws out, and is NaN where
            no two draws differ.
        groups: The group of each image.
        resamples: How often groups are drawn.
        confidence: Of the intervals.
        seed: For the drawing.
    """
    codes = number_groups(groups)
    count = codes.max() + 1
    rng = np.random.default_rng(seed)
    drawn = [score(np.bincount(rng.integers(count, size=count), minlength=count)[codes]) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    return {
        name: Estimate(value, *_quantiles([draw[name] for draw in drawn], tail))
        for name, value in score(np.ones(len(codes))).items()
    }


def _quantiles(values: list[float], tail: float) -> tuple[float, float]:
    defined = [value for value in values if not np.isnan(value)]
    if len(set(defined)) < 2:  # draws that are all alike tell nothing of how sure the figure is
        return np.nan, np.nan
    return tuple(np.quantile(defined, [tail, 1 - tail]).tolist())
