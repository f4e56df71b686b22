"""When a classifier's probabilities may be taken at their word, and when it should keep its opinion to itself."""

from typing import NamedTuple

import numpy as np
from sklearn import metrics

_BINS = 15
# Temperatures that are looked through, on a logarithmic scale.
_COLDEST, _HOTTEST = 0.05, 20.0
_SMALLEST = np.finfo(np.float32).tiny


class Calibration(NamedTuple):
    """What was learned from the validation images about a classifier's probabilities.

    Attributes:
        temperature: Divides the logarithms of the probabilities: above 1 the classifier was too sure.
        threshold: Opinions less likely than this are withheld.
    """

    temperature: float
    threshold: float


def calibrate(truth: np.ndarray, probabilities: np.ndarray, target_error: float) -> Calibration:
    """Fit a temperature, and the threshold under which opinions are withheld.

    Args:
        truth: The number of each validation image's class, ``[n]``.
        probabilities: As the classifier gives them, ``[n, classes]``.
        target_error: The share of wrong opinions, of those given, that is to be kept to.
    """
    temperature = _fit_temperature(truth, probabilities)
    calibrated = apply_temperature(probabilities, temperature)
    threshold = _choose_threshold(calibrated.argmax(axis=1) == truth, calibrated.max(axis=1), target_error)
    return Calibration(temperature, threshold)


def _fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature of the lowest log loss (Guo et al. 2017, On calibration of modern neural networks)."""
    from scipy.optimize import minimize_scalar

    every = range(probabilities.shape[1])

    def loss(logarithm: float) -> float:
        return metrics.log_loss(truth, apply_temperature(probabilities, np.exp(logarithm)), labels=every)

    bounds = (np.log(_COLDEST), np.log(_HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Soften (above 1) or sharpen (below 1) probabilities, ``[n, classes]``; their order stays."""
    from scipy.special import softmax

    return softmax(np.log(np.maximum(probabilities, _SMALLEST)) / temperature, axis=1)


def _choose_threshold(hits: np.ndarray, confidence: np.ndarray, target_error: float) -> float:
    """Find the lowest confidence down to which the share of wrong opinions stays at the target; 1 if nowhere."""
    coverage, risk, levels = trace_risk(hits, confidence)
    kept = np.flatnonzero(risk <= target_error)
    if not len(kept):
        return 1.0
    return 0.0 if coverage[kept[-1]] == 1 else float(levels[kept[-1]])


def trace_risk(hits: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the risk at each coverage: the surest opinions first (El-Yaniv and Wiener 2010).

    Args:
        hits: Which opinions are right, ``[n]``.
        confidence: How sure each is, ``[n]``.

    Returns:
        The share of images with an opinion, the share of these that are wrong, and the confidence down to which they
        are given: ``[levels]`` each, from the surest on; opinions of one confidence are given together.
    """
    levels, numbers = np.unique(-confidence, return_inverse=True)
    given = np.cumsum(np.bincount(numbers))
    wrong = np.cumsum(np.bincount(numbers, ~hits))
    return given / len(hits), wrong / given, -levels


def score_trust(truth: np.ndarray, probabilities: np.ndarray, calibration: Calibration) -> dict[str, float]:
    """Score probabilities before and after calibration, and the opinions that are given.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: As the classifier gives them, ``[n, classes]``.
        calibration: Learned from other images.

    Returns:
        ``ece`` (expected calibration error), ``brier`` (summed over the classes) and, under temperature,
        ``calibrated_loss``, ``calibrated_ece``, ``calibrated_brier``; ``coverage`` (share of images with an opinion),
        ``selective_error`` (share of these that are wrong, NaN where there is none) and ``aurc`` (area under the
        curve of risk and coverage).
    """
    every = list(range(probabilities.shape[1]))
    calibrated = apply_temperature(probabilities, calibration.temperature)
    hits, confidence = calibrated.argmax(axis=1) == truth, calibrated.max(axis=1)
    coverage, risk, _ = trace_risk(hits, confidence)
    given = confidence >= calibration.threshold
    return {
        "ece": measure_calibration_error(truth, probabilities),
        "brier": metrics.brier_score_loss(truth, probabilities, labels=every, scale_by_half=False),
        "calibrated_loss": metrics.log_loss(truth, calibrated, labels=every),
        "calibrated_ece": measure_calibration_error(truth, calibrated),
        "calibrated_brier": metrics.brier_score_loss(truth, calibrated, labels=every, scale_by_half=False),
        "coverage": given.mean(),
        "selective_error": 1 - hits[given].mean() if given.any() else np.nan,
        "aurc": float(np.trapezoid(np.append(risk[0], risk), np.append(0, coverage))),
    }


def measure_calibration_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Give the expected calibration error: 15 bins of the likeliest class's probability (Guo et al. 2017)."""
    sure, right, count = bin_confidence(truth, probabilities)
    return float(np.abs(right - sure)[count > 0] @ count[count > 0] / count.sum())


def bin_confidence(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin images by how sure the classifier is.

    Returns:
        The mean confidence, the share that is right, and the number of images of each of 15 bins of equal width,
        NaN where there are none.
    """
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    count = np.bincount(bins, minlength=_BINS)
    sums = (np.bincount(bins, values, minlength=_BINS) for values in (confidence, hits))
    sure, right = (np.divide(one, count, out=np.full(_BINS, np.nan), where=count > 0) for one in sums)
    return sure, right, count


def score_prediction_sets(
    truth: np.ndarray, probabilities: np.ndarray, held: tuple[np.ndarray, np.ndarray], confidence: float
) -> tuple[np.ndarray, float]:
    """Check conformal prediction sets that are to hold the true class as often in each class as stated.

    Crepes computes them, class by class (Mondrian), from one minus the probability of the true class.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[n, classes]``.
        held: The same two of the images that the sets are learned from.
        confidence: How often a set is to hold the true class.

    Returns:
        How often it does in each class, ``[classes]``, NaN for a class without images, and the mean size of a set.
    """
    from crepes import ConformalClassifier

    theirs, theirs_probabilities = held
    learned = ConformalClassifier().fit(1 - theirs_probabilities[np.arange(len(theirs)), theirs], bins=theirs)
    every = np.arange(probabilities.shape[1])
    # A class is in the set if it conforms to those of its own class.
    sets = np.column_stack(
        [
            learned.predict_set(
                1 - probabilities[:, [number]], np.full(len(truth), number), confidence=confidence, smoothing=False
            )[:, 0]
            for number in every
        ]
    )
    hits = sets[np.arange(len(truth)), truth] > 0
    covered = [hits[truth == number].mean() if (truth == number).any() else np.nan for number in every]
    return np.array(covered), float(sets.sum(axis=1).mean())
