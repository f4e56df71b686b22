"""When a classifier's probabilities may be taken at their word, and when it should keep its opinion to itself."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics

from leukoscope.models.novelty import choose_limit
from leukoscope.models.scoring import measure_loss, probability_columns

logger = logging.getLogger(__name__)

_BINS = 15
# Temperatures that are looked through, on a logarithmic scale; a share of so much is still at the end.
_COLDEST, _HOTTEST = 0.05, 20.0
_AT_THE_END = 0.01
# More than any probability, so that every opinion is withheld.
_NEVER = 1.001
_SMALLEST = np.finfo(np.float32).tiny

# Why an opinion is withheld.
WITHHELD, UNLIKE, UNSURE = "withheld", "unlike the training images", "not sure enough"


class Calibration(NamedTuple):
    """What was learned from the validation images about a classifier's probabilities.

    Attributes:
        temperature: Divides the logarithms of the probabilities: above 1 the classifier was too sure.
        threshold: Opinions less likely than this are withheld; above 1, all are.
        novelty: Fields with a novelty above this are unlike the training images, and opinions on them are withheld.
        nonconformity: One minus the probability of the true class of each validation image, a list a class: what
            prediction sets are learned from.
    """

    temperature: float
    threshold: float
    novelty: float
    nonconformity: list[list[float]]


def calibrate(
    truth: np.ndarray, probabilities: np.ndarray, novelty: np.ndarray, target_error: float, false_alarms: float
) -> Calibration:
    """Fit a temperature, and the limits beyond which opinions are withheld.

    Args:
        truth: The number of each validation image's class, ``[n]``.
        probabilities: As the classifier gives them, ``[n, classes]``.
        novelty: As ``measure_novelty`` has it, ``[n]``.
        target_error: The share of wrong opinions, of those given, that is to be kept to.
        false_alarms: The share of images that may count as unlike the training images.
    """
    temperature = _fit_temperature(truth, probabilities)
    calibrated = apply_temperature(probabilities, temperature)
    threshold = _choose_threshold(calibrated.argmax(axis=1) == truth, calibrated.max(axis=1), target_error)
    by_class = measure_nonconformity(truth, probabilities)
    return Calibration(temperature, threshold, choose_limit(novelty, false_alarms), by_class)


def measure_nonconformity(truth: np.ndarray, probabilities: np.ndarray) -> list[list[float]]:
    """Give one minus the probability of the true class of each image, a list a class."""
    strangeness = 1 - probabilities[np.arange(len(truth)), truth]
    return [strangeness[truth == number].tolist() for number in range(probabilities.shape[1])]


def form_opinions(
    calibrated: np.ndarray, novelty: np.ndarray, calibration: Calibration, class_names: Sequence[str]
) -> pd.DataFrame:
    """Give what a classifier says of each image in the end, or why it says nothing.

    Args:
        calibrated: Its probabilities under the temperature, ``[n, classes]``.
        novelty: As ``measure_novelty`` has it, ``[n]``.
        calibration: Learned from validation images.
        class_names: The classes in the order of the probabilities.

    Returns:
        One row an image: ``opinion`` (a class, or ``withheld``), ``reason`` (of withholding, else empty), ``novelty``,
        and one calibrated probability column a class.
    """
    unsure = ~(calibrated.max(axis=1) >= calibration.threshold)
    reason = np.select([novelty > calibration.novelty, unsure], [UNLIKE, UNSURE], "")
    likeliest = np.array(class_names)[calibrated.argmax(axis=1)]
    facts = {"opinion": np.where(reason == "", likeliest, WITHHELD), "reason": reason, "novelty": novelty}
    return pd.DataFrame(facts | dict(zip(probability_columns(class_names), calibrated.T, strict=True)))


def _fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature of the lowest log loss (Guo et al. 2017, On calibration of modern neural networks).

    Where no image is wrong the lowest loss is that of being ever surer, from which nothing can be learned of how sure
    the classifier may be elsewhere: then it is 1.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if (probabilities.argmax(axis=1) == truth).all():
        logger.warning("No validation image is wrong: nothing is learned of over-confidence, the temperature is 1")
        return 1.0
    logits = np.log(np.maximum(probabilities.astype(float), _SMALLEST))

    def loss(logarithm: float) -> float:
        # Never clipped: a clipped loss has a second minimum, where errors count no more.
        return -log_softmax(logits / np.exp(logarithm), axis=1)[np.arange(len(truth)), truth].mean()

    ends = (np.log(_COLDEST), np.log(_HOTTEST))
    found = float(minimize_scalar(loss, bounds=ends, method="bounded").x)
    if min(np.abs(np.subtract(ends, found))) < _AT_THE_END:
        logger.warning(
            "The temperature %.3g is at the end of those looked through, %g to %g: probabilities may stay badly "
            "calibrated",
            np.exp(found),
            _COLDEST,
            _HOTTEST,
        )
    return float(np.exp(found))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Soften (above 1) or sharpen (below 1) probabilities, ``[n, classes]``; their order stays."""
    from scipy.special import softmax

    return softmax(np.log(np.maximum(probabilities, _SMALLEST)) / temperature, axis=1)


def _choose_threshold(hits: np.ndarray, confidence: np.ndarray, target_error: float) -> float:
    """Find the lowest confidence down to which the share of wrong opinions stays at the target."""
    coverage, risk, levels = trace_risk(hits, confidence)
    kept = np.flatnonzero(risk <= target_error)
    if not len(kept):
        return _NEVER
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


def score_trust(
    truth: np.ndarray,
    probabilities: np.ndarray,
    calibrated: np.ndarray,
    given: np.ndarray,
    called: np.ndarray | None = None,
) -> dict[str, float]:
    """Score probabilities before and after calibration, and the opinions that are given.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: As the classifier gives them, ``[n, classes]``.
        calibrated: Under a temperature that was learned from other images, ``[n, classes]``.
        given: Which images get an opinion, boolean ``[n]``.
        called: The number of the class that each is called, ``[n]``; by default its likeliest.

    Returns:
        ``ece`` (expected calibration error), ``brier`` (summed over the classes) and, calibrated, ``calibrated_loss``,
        ``calibrated_ece``, ``calibrated_brier``; ``coverage`` (share of images with an opinion), ``selective_error``
        (share of these that are wrong, NaN where there is none) and ``aurc`` (as ``measure_aurc`` has it).
    """
    every = list(range(probabilities.shape[1]))
    hits, confidence = check_calls(truth, calibrated, called)
    return {
        "ece": measure_calibration_error(truth, probabilities, called),
        "brier": metrics.brier_score_loss(truth, probabilities, labels=every, scale_by_half=False),
        "calibrated_loss": measure_loss(truth, calibrated),
        "calibrated_ece": measure_calibration_error(truth, calibrated, called),
        "calibrated_brier": metrics.brier_score_loss(truth, calibrated, labels=every, scale_by_half=False),
        "coverage": given.mean(),
        "selective_error": 1 - hits[given].mean() if given.any() else np.nan,
        "aurc": measure_aurc(hits, confidence),
    }


def check_calls(
    truth: np.ndarray, probabilities: np.ndarray, called: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Give which images are called what they are, and how sure the classifier is of what it calls them.

    Args:
        truth: The number of each image's class, ``[n]``.
        probabilities: ``[n, classes]``.
        called: The number of the class that each is called, ``[n]``; by default its likeliest.
    """
    called = probabilities.argmax(axis=1) if called is None else called
    return called == truth, probabilities[np.arange(len(truth)), called]


def measure_aurc(hits: np.ndarray, confidence: np.ndarray) -> float:
    """Give the area under the curve of risk and coverage: the mean over the images of the risk down to each.

    As Geifman, Uziel and El-Yaniv 2019, Bias-reduced uncertainty estimation for deep neural classifiers (equation 2);
    images of one confidence share the risk of giving opinions on all of them.
    """
    coverage, risk, _ = trace_risk(hits, confidence)
    return float(np.diff(coverage, prepend=0) @ risk)


def measure_calibration_error(truth: np.ndarray, probabilities: np.ndarray, called: np.ndarray | None = None) -> float:
    """Give the expected calibration error: 15 bins of the probability of what is called (Guo et al. 2017)."""
    sure, right, count = bin_confidence(truth, probabilities, called)
    return float(np.abs(right - sure)[count > 0] @ count[count > 0] / count.sum())


def bin_confidence(
    truth: np.ndarray, probabilities: np.ndarray, called: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin images by how sure the classifier is.

    Returns:
        The mean confidence, the share that is right, and the number of images of each of 15 bins of equal width, which
        hold their upper ends; NaN where there are none.
    """
    hits, confidence = check_calls(truth, probabilities, called)
    bins = np.searchsorted(np.linspace(0, 1, _BINS + 1)[1:-1], confidence)
    count = np.bincount(bins, minlength=_BINS)
    sums = (np.bincount(bins, values, minlength=_BINS) for values in (confidence, hits))
    sure, right = (np.divide(one, count, out=np.full(_BINS, np.nan), where=count > 0) for one in sums)
    return sure, right, count


def form_prediction_sets(
    probabilities: np.ndarray, nonconformity: Sequence[Sequence[float]], confidence: float
) -> np.ndarray:
    """Form conformal prediction sets that hold the true class as often in each class as stated.

    Crepes computes them, class by class (Mondrian), from one minus the probability of the true class.

    Args:
        probabilities: As the classifier gives them, ``[n, classes]``.
        nonconformity: As in ``Calibration``.
        confidence: How often a set is to hold the true class.

    Returns:
        Whether each class is in each image's set, boolean ``[n, classes]``.
    """
    from crepes import ConformalClassifier

    bins = np.repeat(np.arange(len(nonconformity)), [len(one) for one in nonconformity])
    learned = ConformalClassifier().fit(np.concatenate(nonconformity), bins=bins)
    # A class is in the set if it conforms to those of its own class.
    columns = [
        learned.predict_set(
            1 - probabilities[:, [number]], np.full(len(probabilities), number), confidence=confidence, smoothing=False
        )[:, 0]
        for number in range(len(nonconformity))
    ]
    return np.column_stack(columns) > 0


def score_prediction_sets(truth: np.ndarray, sets: np.ndarray) -> tuple[np.ndarray, float]:
    """Check prediction sets.

    Args:
        truth: The number of each image's class, ``[n]``.
        sets: As ``form_prediction_sets`` gives them.

    Returns:
        How often they hold the true class in each class, ``[classes]``, NaN for a class without images, and the mean
        size of a set.
    """
    hits = sets[np.arange(len(truth)), truth]
    every = range(sets.shape[1])
    covered = [hits[truth == number].mean() if (truth == number).any() else np.nan for number in every]
    return np.array(covered), float(sets.sum(axis=1).mean())
