"""How sure a classifier may be: temperature scaling, and how far its confidence is from how often it is right."""

import logging

import numpy as np

from leukoscope.evaluation.selective import check_predictions

logger = logging.getLogger(__name__)

_BINS = 15
# Temperatures that are looked through, on a logarithmic scale; a share of so much is still at the end.
_COLDEST = 0.05
_HOTTEST = 20.0
_AT_THE_END = 0.01
_SMALLEST = np.finfo(np.float32).tiny
_SIMULATIONS = 200


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature of the lowest log loss (Guo et al. 2017, On calibration of modern neural networks).

    Where no image is wrong the lowest loss is that of being ever surer, from which nothing can be learned of how sure
    the classifier may be elsewhere: then it is 1.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if (probabilities.argmax(axis=1) == truth).all():
        logger.warning("No validation image is wrong: nothing is learned of over-confidence, the temperature is 1")
        return 1.0
    # Softmax forgets a constant, so that logarithms of probabilities serve as logits.
    logits = np.log(np.maximum(probabilities.astype(float), _SMALLEST))

    def loss(logarithm: float) -> float:
        # Never clipped: a clipped loss has a second minimum, where errors count no more.
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
    """Soften (above 1) or sharpen (below 1) probabilities, ``[n, classes]``; their order stays."""
    from scipy.special import softmax

    return softmax(np.log(np.maximum(probabilities.astype(float), _SMALLEST)) / temperature, axis=1)


def measure_calibration_error(
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> float:
    """Give the expected calibration error: 15 bins of the probability of the predicted class (Guo et al. 2017)."""
    sure, right, count = bin_confidence(truth, probabilities, predicted, weights)
    return float(np.abs(right - sure)[count > 0] @ count[count > 0] / count.sum())


def bin_confidence(
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin images by how sure the classifier is.

    Returns:
        The mean confidence, the share that is right, and the number of images (or their weight) of each of 15 bins of
        equal width, which hold their upper ends; NaN where there are none.
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
    """Give the calibration error that a perfectly calibrated classifier shows on average: none is seen to be 0.

    Args:
        confidence: How sure it is of what it predicts of each image, ``[n]``.
        seed: For the draws of which images are right.
    """
    rng = np.random.default_rng(seed)
    bins, _ = _number_bins(confidence)
    sums = np.bincount(bins, confidence, minlength=_BINS)
    # Labels drawn from the stated confidence: what is left of the error is the noise of bins.
    drawn = rng.random((_SIMULATIONS, len(confidence))) < confidence
    errors = [np.abs(np.bincount(bins, hits, minlength=_BINS) - sums).sum() / len(confidence) for hits in drawn]
    return float(np.mean(errors))
