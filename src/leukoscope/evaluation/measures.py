"""Functions that compute metrics: from an outcome, from a draw of its images, or from two other metrics."""

import numpy as np

from leukoscope.evaluation.calibration import measure_calibration_error, simulate_calibrated
from leukoscope.evaluation.intervals import count_groups_with_errors
from leukoscope.evaluation.metric import Hits
from leukoscope.evaluation.outcome import Draw, Outcome, require
from leukoscope.evaluation.selective import check_predictions, measure_aurc


def select_sensitivity(outcome: Outcome) -> list[Hits]:
    """Select, among the images of each class, those predicted as that class."""
    return [Hits(predicted, true) for true, predicted in _list_classes(outcome)]


def select_specificity(outcome: Outcome) -> list[Hits]:
    """Select, among the images of all other classes, those not predicted as each class."""
    return [Hits(~predicted, ~true) for true, predicted in _list_classes(outcome)]


def select_precision(outcome: Outcome) -> list[Hits]:
    """Select, among the images predicted as each class, those that belong to it."""
    return [_select_right(true, predicted) for true, predicted in _list_classes(outcome)]


def select_npv(outcome: Outcome) -> list[Hits]:
    """Select, among the images not predicted as each class, those that do not belong to it."""
    return [_select_right(~true, ~predicted) for true, predicted in _list_classes(outcome)]


def select_screening_ppv(outcome: Outcome) -> Hits:
    """Select, among the images predicted malignant, those that are malignant."""
    return _select_right(outcome.malignant, _predict_malignant(outcome))


def select_screening_npv(outcome: Outcome) -> Hits:
    """Select, among the images predicted benign, those that are benign."""
    return _select_right(~outcome.malignant, ~_predict_malignant(outcome))


def select_screening_sensitivity(outcome: Outcome) -> Hits:
    """Select, among the malignant images, those predicted malignant."""
    return Hits(_predict_malignant(outcome), outcome.malignant)


def select_screening_specificity(outcome: Outcome) -> Hits:
    """Select, among the benign images, those predicted benign."""
    return Hits(~_predict_malignant(outcome), ~outcome.malignant)


def _list_classes(outcome: Outcome) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(outcome.truth == number, outcome.predicted == number) for number in range(outcome.classes)]


def _predict_malignant(outcome: Outcome) -> np.ndarray:
    return require(outcome.screening).predicted


def _select_right(positive: np.ndarray, predicted: np.ndarray) -> Hits:
    # If one kind has no images, whether a prediction is right does not depend on the image.
    both = bool(positive.any()) and not positive.all()
    return Hits(positive, np.logical_and(predicted, both))


def tell_covered(outcome: Outcome) -> np.ndarray:
    """Return which prediction sets contain the true class, boolean ``[n]``."""
    return require(outcome.sets)[np.arange(len(outcome)), outcome.truth]


def select_covered_by_class(outcome: Outcome) -> list[Hits]:
    """Select, among the images of each class, those whose prediction set contains it."""
    covered = tell_covered(outcome)
    return [Hits(covered, outcome.truth == number) for number in range(outcome.classes)]


def select_empty_sets(outcome: Outcome) -> Hits:
    """Select the images whose prediction set is empty."""
    return Hits(np.logical_not(require(outcome.sets).any(axis=1)), outcome.every)


def average_by_support(draw: Draw, values: np.ndarray) -> float:
    """Average one value per class, ``[classes]``, weighted by the images of the class."""
    some = draw.support > 0
    return float(np.average(values[some], weights=draw.support[some]))


def measure_correlation(draw: Draw) -> float:
    """Compute Matthews' correlation of truth and prediction; 0 if only one class is predicted."""
    total = draw.support.sum()
    support = draw.support
    predicted = draw.table.sum(axis=0)
    if (support > 0).sum() < 2:  # undefined with a single true class
        return np.nan
    # Gorodkin 2004: the covariance of truth and prediction divided by their standard deviations, over all classes.
    beyond = np.trace(draw.table) * total - support @ predicted
    spread = np.sqrt((total**2 - predicted @ predicted) * (total**2 - support @ support))
    return float(beyond / spread) if spread > 0 else 0.0


def measure_kappa(draw: Draw) -> float:
    """Compute Cohen's kappa: the agreement of truth and prediction beyond chance."""
    total = draw.support.sum()
    support = draw.support
    predicted = draw.table.sum(axis=0)
    if (support > 0).sum() < 2:
        return np.nan
    return float((np.trace(draw.table) * total - support @ predicted) / (total**2 - support @ predicted))


def find_positive_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Compute the positive predictive value at a prevalence, by Bayes' rule."""
    return _share_right(sensitivity * prevalence, (1 - specificity) * (1 - prevalence))


def find_negative_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Compute the negative predictive value at a prevalence, by Bayes' rule."""
    return _share_right(specificity * (1 - prevalence), (1 - sensitivity) * prevalence)


def _share_right(right: float, wrong: float) -> float:
    return right / (right + wrong) if right + wrong > 0 else np.nan


def measure_brier(draw: Draw, probabilities: np.ndarray) -> float:
    """Compute the squared error of probabilities, ``[n, classes]``, summed over the classes."""
    return draw.average(((probabilities - draw.outcome.one_hot) ** 2).sum(axis=1))


def measure_ece(draw: Draw, probabilities: np.ndarray) -> float:
    """Compute the expected calibration error of probabilities, ``[n, classes]``."""
    return measure_calibration_error(draw.outcome.truth, probabilities, draw.outcome.predicted, draw.weights)


def simulate_ece(outcome: Outcome, probabilities: np.ndarray) -> float:
    """Simulate the mean calibration error of a perfectly calibrated classifier with the same confidences."""
    return simulate_calibrated(check_predictions(outcome.truth, probabilities, outcome.predicted)[1], outcome.seed)


def measure_risk_area(draw: Draw) -> float:
    """Compute the area under the risk-coverage curve, by calibrated confidence."""
    outcome = draw.outcome
    return measure_aurc(*check_predictions(outcome.truth, outcome.calibrated, outcome.predicted), draw.weights)


def select_wrong_opinions(outcome: Outcome) -> Hits:
    """Select, among the images with an opinion, those whose opinion is wrong."""
    return Hits(~outcome.hits, require(outcome.opinions).given)


def weigh_wrong_opinions(draw: Draw) -> float:
    """Compute the share of wrong opinions at the stated prevalence of malignant fields."""
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
    """Count the groups that contain a wrong prediction."""
    return count_groups_with_errors(outcome.hits, require(outcome.groups))


def count_images(outcome: Outcome) -> np.ndarray:
    """Count the images of each class, ``[classes]``."""
    return np.bincount(outcome.truth, minlength=outcome.classes)
