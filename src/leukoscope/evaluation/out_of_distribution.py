"""Out-of-distribution scores: how unlike the training images a field is, by last-layer features and by checks."""

import logging
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.core.options import plain_name
from leukoscope.evaluation import feature_table
from leukoscope.images.field_checks import CHECKS

logger = logging.getLogger(__name__)

_NEIGHBOUR = 5
# The usual range of the training images excludes this share of them at either end.
_TAIL = 0.01
# At most this many images of a class are used to learn the range: enough for the share above.
_MOST_COMPARED = 1000
_LEAST_DISTANCE = 0.01  # standard deviations; smaller differences mean nothing
_FEATURES = "unfamiliar features"
_BELOW = np.array([*(check.below for check in CHECKS), _FEATURES])
_ABOVE = np.array([*(check.above for check in CHECKS), _FEATURES])

# A limit that nothing exceeds: JSON cannot hold infinity.
NO_LIMIT = sys.float_info.max
# Kinds of outliers whose AUC against test images is below this are reported as missed.
LEAST_AUC = 0.8
_KINDS = {
    "blurred": "Fields out of focus",
    "no_cells": "Fields without cells",
    "other_stain": "Fields of another stain",
    "photograph": "Photographs of other things",
}


class OutOfDistribution(NamedTuple):
    """How unlike the training images each field is.

    Attributes:
        score: ``float [n]``: 1 at the end of the training images' usual range, growing in proportion beyond it.
        why: How each field differs most from the training images, in words, ``str [n]``.
    """

    score: np.ndarray
    why: np.ndarray


class _Usual(NamedTuple):
    """The usual range of some measurements, ``float [measurements]`` each.

    Attributes:
        middle: The median.
        below: Distance from the median to the lower end.
        above: Distance from the median to the upper end.
    """

    middle: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @classmethod
    def learn(cls, values: np.ndarray, least: np.ndarray) -> Self:
        """Learn the range from ``[n, measurements]``; both ends are at least ``least`` away from the median."""
        low, middle, high = np.quantile(values, [_TAIL, 0.5, 1 - _TAIL], axis=0)
        return cls(middle, np.maximum(middle - low, least), np.maximum(high - middle, least))

    def scale(self, values: np.ndarray) -> np.ndarray:
        """Scale measurements, ``[n, measurements]``: 0 at the median, -1 at the lower and 1 at the upper end."""
        away = values - self.middle
        return away / np.where(away < 0, self.below, self.above)


class _KnownClass(NamedTuple):
    """The training images of one class.

    Attributes:
        neighbours: Nearest-neighbour index of their features.
        usual: Usual range of their checks, followed by that of each image's distance to its fifth nearest neighbour.
    """

    neighbours: Any
    usual: _Usual

    @classmethod
    def learn(cls, features: np.ndarray, checks: np.ndarray) -> Self:
        """Learn from the features, ``[n, channels]``, and the checks, ``[n, checks]``, of the class's images."""
        from sklearn.neighbors import NearestNeighbors

        neighbours = NearestNeighbors().fit(features)
        rows = slice(None, None, -(-len(features) // _MOST_COMPARED))
        # Each image is its own nearest neighbour, which does not count.
        distances = _measure_distance(neighbours, features[rows], _NEIGHBOUR + 1)
        least = [*(check.least_spread for check in CHECKS), _LEAST_DISTANCE]
        return cls(neighbours, _Usual.learn(np.column_stack([checks[rows], distances]), np.array(least)))

    def scale(self, features: np.ndarray, checks: np.ndarray) -> np.ndarray:
        """Scale the checks and distances of other images by the usual range: ``[m, checks + 1]``."""
        distances = _measure_distance(self.neighbours, features, _NEIGHBOUR)
        scaled = self.usual.scale(np.column_stack([checks, distances]))
        scaled[:, -1] = scaled[:, -1].clip(min=0)  # closer than usual is not out of distribution
        return scaled


class KnownImages:
    """The training images of a classifier, as a reference for other images.

    Args:
        features: Features of the classifier's last layer, ``[n, channels]``.
        checks: Checks from ``check_fields``, ``[n, checks]``.
        labels: Class labels, ``[n]``.
    """

    def __init__(self, features: np.ndarray, checks: np.ndarray, labels: np.ndarray) -> None:
        self._features = features
        self._checks = checks
        self._labels = labels

    @classmethod
    def learn(cls, table: pd.DataFrame) -> Self:
        """Learn from the training images in a table of features.

        Raises:
            InputError: The table is of an earlier version.
        """
        checks = feature_table.select_checks(table, "train")
        labels = table.loc[table["split"] == "train", "label"].to_numpy(str)
        return cls(feature_table.select(table, "train"), checks, labels)

    def compare_table(self, table: pd.DataFrame, split: str | None = None) -> OutOfDistribution:
        """Score how unlike the training images the images of a table are, optionally those of one split only."""
        return self.compare(feature_table.select(table, split), feature_table.select_checks(table, split))

    def compare(self, features: np.ndarray, checks: np.ndarray) -> OutOfDistribution:
        """Score how unlike the training images some fields are, from their features and checks, ``[n, checks]``.

        The score is the largest of the checks and of the distance of the features to the fifth nearest training image
        (Sun et al. 2022, Out-of-distribution detection with deep nearest neighbors), each scaled by the usual range of
        a class. A field need only fit one class: otherwise fields of the most varied class would be flagged most often.
        """
        scaled = self._transform(features)
        by_class = np.stack([known.scale(scaled, checks) for known in self._classes])
        rows = np.arange(len(checks))
        away = by_class[np.abs(by_class).max(axis=2).argmin(axis=0), rows]
        largest = np.abs(away).argmax(axis=1)
        beyond = away[rows, largest]
        return OutOfDistribution(np.abs(beyond), np.where(beyond < 0, _BELOW[largest], _ABOVE[largest]))

    def summarise(self, features: np.ndarray, checks: np.ndarray) -> pd.DataFrame:
        """Reduce images to the measurements that are monitored.

        Args:
            features: Features of the classifier's last layer, ``[m, channels]``.
            checks: Checks from ``check_fields``, ``[m, checks]``.

        Returns:
            One row per image: a column ``check_*`` per check, and a column ``distance_*`` per class: the distance of
            the features from the mean of that class's training images, in standard deviations, a root mean square over
            channels.
        """
        scaled = self._transform(features)
        table = pd.DataFrame(checks, columns=feature_table.CHECK_COLUMNS, dtype=float)
        for label, middle in self._middles.items():
            table[f"distance_{plain_name(label)}"] = np.linalg.norm(scaled - middle, axis=1)
        return table

    def find_nearest(self, features: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the training images most similar to the given images, nearest first.

        Each channel is standardised to mean zero and standard deviation one; distances are root mean squares over the
        channels, in standard deviations.

        Args:
            features: Features of the given images, ``[m, channels]``.
            number: Number of training images to find; fewer if there are not enough.

        Returns:
            The rows of the training images found, and their distances, ``[m, number]`` each.
        """
        wanted = min(number, len(self._features))
        distances, rows = self._neighbours.kneighbors(self._transform(features), wanted)
        return rows, distances

    def _transform(self, features: np.ndarray) -> np.ndarray:
        return self._scaler.transform(features) / np.sqrt(features.shape[1])

    @cached_property
    def _middles(self) -> dict[str, np.ndarray]:
        scaled = self._transform(self._features)
        return {str(label): scaled[self._labels == label].mean(axis=0) for label in np.unique(self._labels)}

    @cached_property
    def _scaler(self) -> Any:
        from sklearn.preprocessing import StandardScaler

        return StandardScaler().fit(self._features)

    @cached_property
    def _neighbours(self) -> Any:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors().fit(self._transform(self._features))

    @cached_property
    def _classes(self) -> list[_KnownClass]:
        features = self._transform(self._features)
        members = [self._labels == label for label in np.unique(self._labels)]
        return [_KnownClass.learn(features[rows], self._checks[rows]) for rows in members]


def _measure_distance(neighbours: Any, features: np.ndarray, neighbour: int) -> np.ndarray:
    """Compute the distance to the nth nearest neighbour, or to the last if there are fewer, ``[m]``."""
    return neighbours.kneighbors(features, min(neighbour, neighbours.n_samples_fit_))[0][:, -1]


def choose_limit(scores: np.ndarray, false_alarms: float) -> float:
    """Choose the score above which a field counts as unlike the training images: a conformal quantile.

    On average over calibration sets, at most the given share of fields like those in the set is flagged (Vovk et al.
    2005, Algorithmic learning in a random world).

    Args:
        scores: Scores of images that are like the training images, but were not among them, ``[n]``.
        false_alarms: The share of such images that may exceed the limit.

    Returns:
        The ``ceil((n + 1) (1 - false_alarms))``-th smallest score, or ``NO_LIMIT`` if there are fewer.
    """
    # Rounded because (249 + 1) (1 - 0.172) slightly exceeds 207 in floating point.
    rank = int(np.ceil(np.round((len(scores) + 1) * (1 - false_alarms), 9)))
    if rank > len(scores):
        logger.warning(
            "%s too few for at most %g of false alarms: no field is flagged as unlike the "
            "training images. Give %d validation images or more, or raise evaluation.false_alarms",
            count_of(len(scores), "validation image is", "validation images are"),
            false_alarms,
            int(np.ceil(1 / false_alarms)) - 1,
        )
        return NO_LIMIT
    return float(np.sort(scores)[rank - 1])


def describe_missed(outliers: Sequence[dict[str, Any]], limit: float) -> list[str]:
    """Describe the kinds of outliers that a classifier fails to recognise; empty if there are none.

    Args:
        outliers: One entry per kind of synthetic outlier: ``kind``, ``auc``.
        limit: Limit of the out-of-distribution score.
    """
    if limit >= NO_LIMIT:
        return [
            "No field at all is flagged as unlike the training images: there are too few validation images to set a "
            "limit. Opinions are given on anything."
        ]
    return [
        f"{_KINDS.get(row['kind'], row['kind'])} are not recognised as unlike the training images (AUC "
        f"{row['auc']:.2f}, below {LEAST_AUC:g}): opinions may be given on them."
        for row in outliers
        if row["auc"] < LEAST_AUC
    ]
