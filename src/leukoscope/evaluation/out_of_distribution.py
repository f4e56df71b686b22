"""Out-of-distribution scores: how unlike the training images a field is, by a last layer's features and by checks."""

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
# What counts as usual among the training images: all but this share of them at either end.
_TAIL = 0.01
# It is learned from so many images of a class at the most: enough for the share above.
_MOST_COMPARED = 1000
_LEAST_DISTANCE = 0.01  # standard deviations; differences below this mean nothing
_FEATURES = "unfamiliar features"
_BELOW = np.array([*(check.below for check in CHECKS), _FEATURES])
_ABOVE = np.array([*(check.above for check in CHECKS), _FEATURES])

# A limit that nothing exceeds. Infinity, which JSON cannot hold.
NO_LIMIT = sys.float_info.max
# Kinds of outliers that are told from test images less well than this are said to be missed.
LEAST_AUC = 0.8
_KINDS = {
    "blurred": "Fields out of focus",
    "no_cells": "Fields without cells",
    "other_stain": "Fields of another stain",
    "photograph": "Photographs of other things",
}


class OutOfDistribution(NamedTuple):
    """How unlike the training images some fields are.

    Attributes:
        score: ``float [n]``: 1 at the end of what is usual among the training images, and growing in proportion.
        why: What each field is most unlike them in, in words, ``str [n]``.
    """

    score: np.ndarray
    why: np.ndarray


class _Usual(NamedTuple):
    """What is usual of some measurements, ``float [measurements]`` each.

    Attributes:
        middle: The median.
        below: From there to the lower end.
        above: From there to the upper end.
    """

    middle: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @classmethod
    def learn(cls, values: np.ndarray, least: np.ndarray) -> Self:
        """Learn it from ``[n, measurements]``; no end is nearer to the middle than ``least``."""
        low, middle, high = np.quantile(values, [_TAIL, 0.5, 1 - _TAIL], axis=0)
        return cls(middle, np.maximum(middle - low, least), np.maximum(high - middle, least))

    def scale(self, values: np.ndarray) -> np.ndarray:
        """Bring measurements, ``[n, measurements]``, to 0 in the middle, -1 at the lower and 1 at the upper end."""
        away = values - self.middle
        return away / np.where(away < 0, self.below, self.above)


class _KnownClass(NamedTuple):
    """The training images of one class.

    Attributes:
        neighbours: Finds the nearest of them, by their features.
        usual: Of their checks, and last of the distance of each to its fifth nearest other one.
    """

    neighbours: Any
    usual: _Usual

    @classmethod
    def learn(cls, features: np.ndarray, checks: np.ndarray) -> Self:
        """Learn the class from the features, ``[n, channels]``, and checks, ``[n, checks]``, of its images."""
        from sklearn.neighbors import NearestNeighbors

        neighbours = NearestNeighbors().fit(features)
        rows = slice(None, None, -(-len(features) // _MOST_COMPARED))
        # Each image is its own nearest, which does not count.
        distances = _measure_distance(neighbours, features[rows], _NEIGHBOUR + 1)
        least = [*(check.least_spread for check in CHECKS), _LEAST_DISTANCE]
        return cls(neighbours, _Usual.learn(np.column_stack([checks[rows], distances]), np.array(least)))

    def scale(self, features: np.ndarray, checks: np.ndarray) -> np.ndarray:
        """Scale the checks of other images, and their distances, by what is usual: ``[m, checks + 1]``."""
        distances = _measure_distance(self.neighbours, features, _NEIGHBOUR)
        scaled = self.usual.scale(np.column_stack([checks, distances]))
        scaled[:, -1] = scaled[:, -1].clip(min=0)  # to be nearer than usual is not out of distribution
        return scaled


class KnownImages:
    """What is known of the images that a classifier learned from, to hold others against.

    Args:
        features: What the classifier's last layer sees of them, ``[n, channels]``.
        checks: As ``check_fields`` gives them, ``[n, checks]``.
        labels: Their classes, ``[n]``.
    """

    def __init__(self, features: np.ndarray, checks: np.ndarray, labels: np.ndarray) -> None:
        self._features = features
        self._checks = checks
        self._labels = labels

    @classmethod
    def learn(cls, table: pd.DataFrame) -> Self:
        """Take the training images of a table of features.

        Raises:
            InputError: The table is an earlier version's.
        """
        checks = feature_table.select_checks(table, "train")
        labels = table.loc[table["split"] == "train", "label"].to_numpy(str)
        return cls(feature_table.select(table, "train"), checks, labels)

    def compare_table(self, table: pd.DataFrame, split: str | None = None) -> OutOfDistribution:
        """Say how unlike the training images those of a table of features are, or those of one split."""
        return self.compare(feature_table.select(table, split), feature_table.select_checks(table, split))

    def compare(self, features: np.ndarray, checks: np.ndarray) -> OutOfDistribution:
        """Say the same of fields whose checks are known, ``[n, checks]``.

        What counts is the largest of the checks and of the distance of the features to the fifth nearest training image
        (Sun et al. 2022, Out-of-distribution detection with deep nearest neighbors), each scaled by what is usual in a
        class. A field need only fit one class: else those of the most varied class would be flagged most often.
        """
        scaled = self._transform(features)
        by_class = np.stack([known.scale(scaled, checks) for known in self._classes])
        rows = np.arange(len(checks))
        away = by_class[np.abs(by_class).max(axis=2).argmin(axis=0), rows]
        largest = np.abs(away).argmax(axis=1)
        beyond = away[rows, largest]
        return OutOfDistribution(np.abs(beyond), np.where(beyond < 0, _BELOW[largest], _ABOVE[largest]))

    def summarise(self, features: np.ndarray, checks: np.ndarray) -> pd.DataFrame:
        """Reduce images to what is watched of them.

        Args:
            features: What the classifier's last layer sees of them, ``[m, channels]``.
            checks: As ``check_fields`` gives them, ``[m, checks]``.

        Returns:
            One row an image: a column ``check_*`` a check, and ``distance_*`` a class: how far its features are from
            the mean of that class's training images, in standard deviations, a root mean square over the channels.
        """
        scaled = self._transform(features)
        table = pd.DataFrame(checks, columns=feature_table.CHECK_COLUMNS, dtype=float)
        for label, middle in self._middles.items():
            table[f"distance_{plain_name(label)}"] = np.linalg.norm(scaled - middle, axis=1)
        return table

    def find_nearest(self, features: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the training images that images resemble most, the nearest first.

        Each channel is brought to mean zero and standard deviation one; distances are root mean squares over the
        channels, in standard deviations.

        Args:
            features: Of the images in question, ``[m, channels]``.
            number: How many of them; fewer if there are not so many.

        Returns:
            Their rows among the known ones, and their distances, ``[m, number]`` each.
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
    """Give the distance to the nth nearest, or to the last where there are fewer, ``[m]``."""
    return neighbours.kneighbors(features, min(neighbour, neighbours.n_samples_fit_))[0][:, -1]


def choose_limit(scores: np.ndarray, false_alarms: float) -> float:
    """Choose the score beyond which a field counts as unlike the training images: a conformal quantile.

    Of fields like those it is learned from no more than the stated share is flagged, on average over such sets (Vovk
    et al. 2005, Algorithmic learning in a random world).

    Args:
        scores: Of images that are like the training images, but were not among them, ``[n]``.
        false_alarms: The share of such images that may be beyond it.

    Returns:
        The ``ceil((n + 1) (1 - false_alarms))``-th smallest, or ``NO_LIMIT`` where there are fewer.
    """
    # Rounded, since (249 + 1) (1 - 0.172) is a little more than 207 in floating point.
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
    """Say in words what a classifier does not recognise as unlike its training images; nothing where all is well.

    Args:
        outliers: One a kind of made outlier: ``kind``, ``auc``.
        limit: Of the out-of-distribution score.
    """
    if limit >= NO_LIMIT:
        return [
            "No field at all is flagged as unlike the training images: there are too few validation images to learn "
            "a limit from. Opinions are given on anything."
        ]
    return [
        f"{_KINDS.get(row['kind'], row['kind'])} are not recognised as unlike the training images (AUC "
        f"{row['auc']:.2f}, below {LEAST_AUC:g}): opinions may be given on them."
        for row in outliers
        if row["auc"] < LEAST_AUC
    ]
