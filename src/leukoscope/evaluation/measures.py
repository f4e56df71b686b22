"""The functions that compute metrics: of an outcome, of a draw of its images, or of two other metrics."""

import numpy as np

from leukoscope.evaluation.calibration import measure_calibration_error, simulate_calibrated
from leukoscope.evaluation.intervals import count_groups_with_errors
from leukoscope.evaluation.metric import Hits
from leukoscope.evaluation.outcome import Draw, Outcome, require
from leukoscope.evaluation.selective import check_predictions, measure_aurc


def select_sensitivity(outcome: Outcome) -> list[Hits]:
    """Select of the images of each class those that are predicted as it."""
    return [Hits(predicted, true) for true, predicted in _list_classes(outcome)]


def select_specificity(outcome: Outcome) -> list[Hits]:
    """Select of the images of other classes than each those that are not predicted as it."""
    return [Hits(~predicted, ~true) for true, predicted in _list_classes(outcome)]


def select_precision(outcome: Outcome) -> list[Hits]:
    """Select of the images that are predicted as each class those that are of it."""
    return [_select_right(true, predicted) for true, predicted in _list_classes(outcome)]


def select_npv(outcome: Outcome) -> list[Hits]:
    """Select of the images that are not predicted as each class those that are not of it."""
    return [_select_right(~true, ~predicted) for true, predicted in _list_classes(outcome)]


def select_screening_ppv(outcome: Outcome) -> Hits:
    """Select of the images that are predicted malignant those that are."""
    return _select_right(outcome.malignant, _predict_malignant(outcome))


def select_screening_npv(outcome: Outcome) -> Hits:
    """Select of the images that are predicted benign those that are."""
    return _select_right(~outcome.malignant, ~_predict_malignant(outcome))


def select_screening_sensitivity(outcome: Outcome) -> Hits:
    """Select of the malignant images those that are predicted so."""
    return Hits(_predict_malignant(outcome), outcome.malignant)


def select_screening_specificity(outcome: Outcome) -> Hits:
    """Select of the benign images those that are predicted so."""
    return Hits(~_predict_malignant(outcome), ~outcome.malignant)


def _list_classes(outcome: Outcome) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(outcome.truth == number, outcome.predicted == number) for number in range(outcome.classes)]


def _predict_malignant(outcome: Outcome) -> np.ndarray:
    return require(outcome.screening).predicted


def _select_right(positive: np.ndarray, predicted: np.ndarray) -> Hits:
    # Without images of one of the two kinds, a prediction is right or wrong whatever the image looks like.
    both = bool(positive.any()) and not positive.all()
    return Hits(positive, np.logical_and(predicted, both))


def tell_covered(outcome: Outcome) -> np.ndarray:
    """Tell whose prediction set has the true class, boolean ``[n]``."""
    return require(outcome.sets)[np.arange(len(outcome)), outcome.truth]


def select_covered_by_class(outcome: Outcome) -> list[Hits]:
    """Select the same of the images of each class."""
    covered = tell_covered(outcome)
    return [Hits(covered, outcome.truth == number) for number in range(outcome.classes)]


def select_empty_sets(outcome: Outcome) -> Hits:
    """Select the images whose prediction set is empty."""
    return Hits(np.logical_not(require(outcome.sets).any(axis=1)), outcome.every)


def average_by_support(draw: Draw, values: np.ndarray) -> float:
    """Average one value of each class by the weights of their images, ``[classes]``."""
    some = draw.support > 0
    return float(np.average(values[some], weights=draw.support[some]))


def measure_correlation(draw: Draw) -> float:
    """Measure Matthews' correlation of truth and prediction; 0 where only one class is predicted."""
    total = draw.support.sum()
    support = draw.support
    predicted = draw.table.sum(axis=0)
    if (support > 0).sum() < 2:  # there is nothing that chance could get wrong
        return np.nan
    # Gorodkin 2004: the covariance of truth and prediction by their deviations, over all classes.
    beyond = np.trace(draw.table) * total - support @ predicted
    spread = np.sqrt((total**2 - predicted @ predicted) * (total**2 - support @ support))
    return float(beyond / spread) if spread > 0 else 0.0


def measure_kappa(draw: Draw) -> float:
    """Measure the agreement of truth and prediction beyond chance."""
    total = draw.support.sum()
    support = draw.support
    predicted = draw.table.sum(axis=0)
    if (support > 0).sum() < 2:
        return np.nan
    return float((np.trace(draw.table) * total - support @ predicted) / (total**2 - support @ predicted))


def find_positive_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Find the predictive value of a positive prediction at a prevalence, by Bayes' rule."""
    return _share_right(sensitivity * prevalence, (1 - specificity) * (1 - prevalence))


def find_negative_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Find the predictive value of a negative prediction at a prevalence, by Bayes' rule."""
    return _share_right(specificity * (1 - prevalence), (1 - sensitivity) * prevalence)


def _share_right(right: float, wrong: float) -> float:
    return right / (right + wrong) if right + wrong > 0 else np.nan


def measure_brier(draw: Draw, probabilities: np.ndarray) -> float:
    """Measure the squared error of some probabilities, ``[n, classes]``, summed over the classes."""
    return draw.average(((probabilities - draw.outcome.one_hot) ** 2).sum(axis=1))


def measure_ece(draw: Draw, probabilities: np.ndarray) -> float:
    """Measure the expected calibration error of some probabilities, ``[n, classes]``."""
    return measure_calibration_error(draw.outcome.truth, probabilities, draw.outcome.predicted, draw.weights)


def simulate_ece(outcome: Outcome, probabilities: np.ndarray) -> float:
    """Give the calibration error that a perfectly calibrated classifier of such confidences would show on average."""
    return simulate_calibrated(check_predictions(outcome.truth, probabilities, outcome.predicted)[1], outcome.seed)


def measure_risk_area(draw: Draw) -> float:
    """Measure the area under the curve of risk and coverage, by calibrated confidence."""
    outcome = draw.outcome
    return measure_aurc(*check_predictions(outcome.truth, outcome.calibrated, outcome.predicted), draw.weights)


def select_wrong_opinions(outcome: Outcome) -> Hits:
    """Select of the images with an opinion those whose opinion is wrong."""
    return Hits(~outcome.hits, require(outcome.opinions).given)


def weigh_wrong_opinions(draw: Draw) -> float:
    """Give the share of wrong opinions where malignant fields are as frequent as stated."""
    outcome = draw.outcome
    given = require(draw.outcome.opinions).given
    errors = opinions = 0.0
    kinds = ((outcome.malignant, outcome.prevalence), (~outcome.malignant, 1 - outcome.prevalence))
    for some, frequency in kinds:
        if not draw.weights[some].any():
            return np.nan
        weights = draw.weights[some]
        errors += frequency * np.average((~outcome.hits & given)[some], weights=weights)
        opinions += frequency * np.average(given[some], weights=weights)
    return errors / opinions if opinions else np.nan


def count_groups(outcome: Outcome) -> int:
    """Count the groups of images."""
    return len(np.unique(require(outcome.groups)))


def count_error_groups(outcome: Outcome) -> int:
    """Count the groups in which an image is wrong."""
    return count_groups_with_errors(outcome.hits, require(outcome.groups))


def count_images(outcome: Outcome) -> np.ndarray:
    """Count the images of each class, ``[classes]``."""
    return np.bincount(outcome.truth, minlength=outcome.classes)
