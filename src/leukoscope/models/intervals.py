"""Intervals of figures, by drawing whole groups of images again and again (the cluster bootstrap)."""

from collections.abc import Sequence
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

    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    sums = np.bincount(codes, hits.astype(float)), np.bincount(codes).astype(float)
    value = float(_divide(*sums))
    if (sums[0] == value * sums[1]).all():  # every draw would be the same
        return Estimate(value, value, value)
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
