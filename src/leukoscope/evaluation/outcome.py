"""The outcome of predicting some images: true and predicted classes, and quantities that several metrics share.

Computed with NumPy by scikit-learn's definitions, which the tests check for each metric. Scikit-learn's own functions
take thirty times as long (390 images, four classes), nearly all of it for input validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

Part = TypeVar("Part")


class Screening(NamedTuple):
    """Screening of benign against malignant: one score and its threshold.

    Attributes:
        scores: The calibrated malignant probability of each image, ``[n]``.
        operating_point: The score from which a field is predicted malignant, chosen on validation images.
    """

    scores: np.ndarray
    operating_point: float

    @property
    def predicted(self) -> np.ndarray:
        """Which images are predicted malignant, boolean ``[n]``."""
        return self.scores >= self.operating_point


class Opinions(NamedTuple):
    """The opinions of a classifier.

    Attributes:
        calibrated: Probabilities after temperature scaling with a temperature from other images, ``[n, classes]``.
        given: Which images get an opinion, boolean ``[n]``.
        unlike: Which images are flagged as unlike the training images, boolean ``[n]``.
    """

    calibrated: np.ndarray
    given: np.ndarray
    unlike: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """The outcome of predicting some images. Parts that are ``None`` were not computed, and have no metrics.

    Attributes:
        truth: The number of each image's class, ``[n]``.
        predicted: The number of each image's predicted class, ``[n]``.
        probabilities: The classifier's output, ``[n, classes]``.
        class_names: The plain name of each class.
        malignant: Which images are malignant, boolean ``[n]``.
        prevalence: The share of malignant fields for which predictive values and opinion errors are computed.
        screening: The screening view, benign against malignant.
        opinions: The opinions given, if any.
        sets: Whether each class is in each image's prediction set, boolean ``[n, classes]``.
        groups: The group of each image, ``[n]``.
        seed: Seed for simulated metrics.
    """

    truth: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    class_names: Sequence[str]
    malignant: np.ndarray
    prevalence: float
    screening: Screening | None = None
    opinions: Opinions | None = None
    sets: np.ndarray | None = None
    groups: np.ndarray | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def hits(self) -> np.ndarray:
        """Which predictions are right, boolean ``[n]``."""
        return self.predicted == self.truth

    @cached_property
    def every(self) -> np.ndarray:
        """A mask of all images, boolean ``[n]``."""
        return np.ones(len(self), bool)

    @cached_property
    def one_hot(self) -> np.ndarray:
        """1 for each image's true class, else 0, ``[n, classes]``."""
        return np.eye(self.classes)[self.truth]

    @cached_property
    def exact(self) -> np.ndarray:
        """The probabilities in double precision, ``[n, classes]``."""
        return self.probabilities.astype(float)

    @cached_property
    def losses(self) -> np.ndarray:
        """The log loss of each image, ``[n]``."""
        return measure_losses(self.truth, self.probabilities)

    @cached_property
    def calibrated_losses(self) -> np.ndarray:
        """The log loss of the calibrated probabilities of each image, ``[n]``."""
        return measure_losses(self.truth, self.calibrated)

    @cached_property
    def calibrated(self) -> np.ndarray:
        """The calibrated probabilities in double precision, ``[n, classes]``."""
        return require(self.opinions).calibrated.astype(float)

    @cached_property
    def curves(self) -> list["Curve"]:
        """The ROC curve of each class against the rest."""
        return [Curve(self.truth == number, scores) for number, scores in enumerate(self.probabilities.T)]

    @cached_property
    def screening_curve(self) -> "Curve":
        """The ROC curve of malignant against benign."""
        return Curve(self.malignant, require(self.screening).scores)


class Draw:
    """Images with weights: how often each was drawn. Quantities that several metrics need are computed once per draw.

    Args:
        outcome: The outcome of predicting the images.
        weights: The weight of each image, ``[n]``.
    """

    def __init__(self, outcome: Outcome, weights: np.ndarray) -> None:
        self.outcome = outcome
        self.weights = weights

    def average(self, values: np.ndarray) -> float:
        """Compute the weighted mean of one value per image, ``[n]``."""
        return float(np.average(values, weights=self.weights))

    @cached_property
    def table(self) -> np.ndarray:
        """The weight of images by true class (rows) and predicted class (columns), ``[classes, classes]``."""
        classes = self.outcome.classes
        numbers = self.outcome.truth * self.outcome.classes + self.outcome.predicted
        return np.bincount(numbers, self.weights, minlength=classes**2).reshape(classes, classes)

    @cached_property
    def support(self) -> np.ndarray:
        """The weight of each class's images, ``[classes]``."""
        return self.table.sum(axis=1)

    @cached_property
    def precision(self) -> np.ndarray:
        """The precision of each class, ``[classes]``; NaN without its images, other images, or predictions of it."""
        predicted = self.table.sum(axis=0)
        both = (self.support > 0) & (self.support < self.support.sum())
        return _divide(np.diag(self.table), predicted, both & (predicted > 0))

    @cached_property
    def sensitivity(self) -> np.ndarray:
        """The sensitivity of each class, ``[classes]``; NaN without images of it."""
        return _divide(np.diag(self.table), self.support, self.support > 0)

    @cached_property
    def f1(self) -> np.ndarray:
        """The F1 of each class, ``[classes]``; NaN without images of it."""
        return _divide(2 * np.diag(self.table), self.support + self.table.sum(axis=0), self.support > 0)

    @cached_property
    def areas(self) -> np.ndarray:
        """The areas from ``Curve`` for each class against the rest, ``[2, classes]``."""
        return np.array([curve.measure_areas(self.weights) for curve in self.outcome.curves]).T

    @cached_property
    def screening_areas(self) -> tuple[float, float]:
        """The areas from ``Curve`` for malignant against benign."""
        return self.outcome.screening_curve.measure_areas(self.weights)


class Curve:
    """The ROC curve of some images with fixed scores and variable weights.

    Args:
        positive: Which images should have high scores, boolean ``[n]``.
        scores: The score of each image, ``[n]``.
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._positive = positive[self._order]
        # No threshold separates images with equal scores.
        self._ends = np.append(np.flatnonzero(np.diff(scores[self._order])), len(scores) - 1)

    def measure_areas(self, weights: np.ndarray) -> tuple[float, float]:
        """Compute the area under the ROC curve and the average precision (area under the precision-recall curve).

        NaN unless there are images of both kinds.
        """
        weights = weights[self._order]
        true, false = (np.cumsum(weights * kind)[self._ends] for kind in (self._positive, ~self._positive))
        if not (true[-1] > 0 and false[-1] > 0):
            return np.nan, np.nan
        steps = np.diff(true, prepend=0)
        area = np.diff(false, prepend=0) @ (true - steps / 2) / (true[-1] * false[-1])
        positives = true + false
        precision = np.divide(true, positives, out=np.zeros(len(true)), where=positives > 0)
        return float(area), float(steps @ precision / true[-1])


def require(part: Part | None) -> Part:
    """Return a part of an outcome that a metric needs; ``Metric.needs`` ensures that it exists."""
    assert part is not None
    return part


def _divide(numerator: np.ndarray, denominator: np.ndarray, defined: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.full(len(defined), np.nan), where=defined)


def measure_losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the log loss of each image, ``[n]``, in double precision, so one confident error has its full cost.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[n, classes]``.
    """
    exact = probabilities.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    return -np.log(np.maximum(exact[np.arange(len(truth)), truth], np.finfo(float).eps))
