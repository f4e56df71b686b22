"""Calibration: temperature scaling, and the gap between confidence and accuracy."""

import logging

import numpy as np

from leukoscope.evaluation.selective import check_predictions

logger = logging.getLogger(__name__)

_BINS = 15
# Temperatures are searched on a log scale; a result within this log distance of an end triggers a warning.
_COLDEST = 0.05
_HOTTEST = 20.0
_AT_THE_END = 0.01
_SMALLEST = np.finfo(np.float32).tiny
_SIMULATIONS = 200


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature with the lowest log loss (Guo et al. 2017, On calibration of modern neural networks).

    If no image is wrong, the loss falls without end as confidence grows, and nothing can be learned about confidence on
    other images: the temperature is then 1.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if (probabilities.argmax(axis=1) == truth).all():
        logger.warning("No validation image is wrong: nothing is learned of over-confidence, the temperature is 1")
        return 1.0
    # Softmax is invariant to a constant, so log-probabilities serve as logits.
    logits = np.log(np.maximum(probabilities.astype(float), _SMALLEST))

    def loss(logarithm: float) -> float:
        # Do not clip: a clipped loss has a second minimum where further errors cost nothing.
        return -log_softmax(logits / np.exp(logarithm), axis=1)[np.arange(len(truth)), truth].mean()

    ends = (np.log(_COLDEST), np.log(_HOTTEST))
    log_temperature = float(minimize_scalar(loss, bounds=ends, method="bounded").x)
    if min(np.abs(np.subtract(ends, log_temperature))) < _AT_THE_END:
        logger.warning(
            "The temperature %.3g is at the end of those looked through, %g to %g: probabilities may stay badly "
            "calibrated",
            np.exp(log_temperature),
            _COLDEST,
            _HOTTEST,
        )
    return float(np.exp(log_temperature))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Soften (temperature above 1) or sharpen (below 1) probabilities, ``[n, classes]``; their order is preserved."""
    from scipy.special import softmax

    return softmax(np.log(np.maximum(probabilities.astype(float), _SMALLEST)) / temperature, axis=1)


def measure_calibration_error(
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> float:
    """Compute the expected calibration error: 15 bins of the predicted class's probability (Guo et al. 2017)."""
    sure, right, count = bin_confidence(truth, probabilities, predicted, weights)
    return float(np.abs(right - sure)[count > 0] @ count[count > 0] / count.sum())


def bin_confidence(
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin images by confidence.

    Returns:
        The mean confidence, the accuracy, and the number of images (or their total weight) in each of 15 equal-width
        bins, which include their upper edges; NaN for empty bins.
    """
    hits, confidence = check_predictions(truth, probabilities, predicted)
    bins, count = _number_bins(confidence, weights)
    weights = np.ones(len(hits)) if weights is None else weights
    sums = (np.bincount(bins, values * weights, minlength=_BINS) for values in (confidence, hits))
    sure, right = (np.divide(total, count, out=np.full(_BINS, np.nan), where=count > 0) for total in sums)
    return sure, right, count


def _number_bins(confidence: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    bins = np.searchsorted(np.linspace(0, 1, _BINS + 1)[1:-1], confidence)
    return bins, np.bincount(bins, weights, minlength=_BINS)


def simulate_calibrated(confidence: np.ndarray, seed: int) -> float:
    """Simulate the mean calibration error of a perfectly calibrated classifier: in a finite sample it is not 0.

    Args:
        confidence: The probability of each image's predicted class, ``[n]``.
        seed: Seed for drawing which images are right.
    """
    rng = np.random.default_rng(seed)
    bins, _ = _number_bins(confidence)
    sums = np.bincount(bins, confidence, minlength=_BINS)
    # Labels drawn from the stated confidence: the remaining error is binning noise.
    drawn = rng.random((_SIMULATIONS, len(confidence))) < confidence
    errors = [np.abs(np.bincount(bins, hits, minlength=_BINS) - sums).sum() / len(confidence) for hits in drawn]
    return float(np.mean(errors))
