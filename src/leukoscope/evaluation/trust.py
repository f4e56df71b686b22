"""Calibration from validation images: a classifier's confidence, and when it abstains."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.evaluation.calibration import (
    apply_temperature,
    fit_temperature,
)
from leukoscope.evaluation.certificate import Certificates
from leukoscope.evaluation.conformal import form_prediction_sets, measure_nonconformity, name_sets
from leukoscope.evaluation.out_of_distribution import OutOfDistribution, choose_limit
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.screening import choose_operating_point, score_malignant
from leukoscope.evaluation.selective import NEVER, check_predictions, choose_threshold, choose_unproven

logger = logging.getLogger(__name__)

# The placeholder for no opinion, and the reasons for it.
ABSTAINED = "abstained"
UNLIKE = "unlike the training images"
UNSURE = "not sure enough"
UNPROMISED = "no error rate could be promised"


class Calibration(NamedTuple):
    """What was learned from validation images about a classifier's probabilities.

    Attributes:
        temperature: Divides the logarithms of the probabilities: above 1 if the classifier was over-confident.
        threshold: The classifier abstains if no class is at least this likely; above 1, always.
        ood_limit: The classifier abstains on fields with an out-of-distribution score above this, as unlike the
            training images.
        nonconformity: One minus the probability of the true class of each validation image, one list per class, from
            which prediction sets are formed.
        target_error: The largest acceptable share of wrong opinions among those given.
        error_bound: Upper bound that was shown for that share, at ``promise_confidence``; ``None`` if none was shown,
            and then opinions are given only if explicitly requested.
        promise_confidence: Confidence level of the bound.
        groups: Number of groups of validation images with an opinion behind the bound, as groups of equal size.
        needed: Number of groups without an error that would show the target.
        operating_point: Fields whose calibrated malignant probability is at least this are predicted malignant.
        set_confidence: How often a prediction set should contain the true class.
        model: Fingerprint of the classifier.
    """

    temperature: float
    threshold: float
    ood_limit: float
    nonconformity: list[list[float]]
    target_error: float = 0.0
    error_bound: float | None = None
    promise_confidence: float = 0.95
    groups: float = 0.0
    needed: int = 0
    operating_point: float = 0.5
    set_confidence: float = 0.95
    model: str = ""

    def describe(self) -> dict[str, Any]:
        """Return all fields for JSON, with a seal that no longer matches if they are edited by hand."""
        return self._asdict() | {"seal": self.seal}

    @property
    def seal(self) -> str:
        """A hash of all fields."""
        return fingerprint_facts(self._asdict())

    @classmethod
    def restore(cls, facts: Mapping[str, Any], model: str | None = None) -> Self:
        """Restore a calibration from the output of ``describe``.

        Args:
            facts: The fields as read from JSON.
            model: Fingerprint of the classifier that it is used with, if known.

        Raises:
            InputError: The fields were edited, are incomplete, or belong to another model.
        """
        values = {name: value for name, value in facts.items() if name != "seal"}
        mend = f"Run `{name_run('evaluation')}` again."
        if set(values) != set(cls._fields) or fingerprint_facts(values) != facts.get("seal"):
            raise InputError(
                f"The calibration is not as it was learned: it was edited, or is of another version. Expected what "
                f"the evaluation wrote, since its figures are of the validation images. {mend}"
            )
        if model is not None and values["model"] != model:
            raise InputError(
                f"The calibration was learned for the model {values['model']}, and is used with {model}. {mend}"
            )
        return cls(**values)


class Targets(NamedTuple):
    """The targets that opinions should meet.

    Attributes:
        error: The largest acceptable share of wrong opinions among those given.
        confidence: Confidence level of the guarantee on this share.
        false_alarms: The share of images that may count as unlike the training images.
        sensitivity: The share of malignant validation images that screening should predict malignant.
        set_confidence: How often a prediction set should contain the true class.
        unproven: Whether opinions are given even if the error could not be shown.
    """

    error: float
    confidence: float = 0.95
    false_alarms: float = 0.05
    sensitivity: float = 0.98
    set_confidence: float = 0.95
    unproven: bool = False


def calibrate(
    truth: np.ndarray,
    probabilities: np.ndarray,
    ood_scores: np.ndarray,
    groups: np.ndarray,
    benign: Sequence[int],
    targets: Targets,
    model: str = "",
) -> Calibration:
    """Fit a temperature, an operating point, and the limits beyond which a classifier abstains.

    Args:
        truth: The number of each validation image's class, ``[n]``.
        probabilities: The classifier's output, ``[n, classes]``.
        ood_scores: Out-of-distribution score of each image, from ``KnownImages``, ``[n]``.
        groups: The group of each image, ``[n]``.
        benign: The numbers of the benign classes.
        targets: The targets that opinions should meet.
        model: Fingerprint of the classifier.
    """
    temperature = fit_temperature(truth, probabilities)
    calibrated = apply_temperature(probabilities, temperature)
    malignant = ~np.isin(truth, benign)
    limit = choose_limit(ood_scores, targets.false_alarms)
    usual = ood_scores <= limit
    hits, confidence = check_predictions(truth[usual], calibrated[usual])
    chosen = choose_threshold(hits, confidence, groups[usual], targets.error, 1 - targets.confidence)
    threshold = chosen.confidence
    if chosen.error_bound is None:
        if targets.unproven:
            threshold = choose_unproven(hits, confidence, targets.error)
        _warn_of_no_promise(targets, chosen.needed, len(np.unique(groups[usual])))
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        ood_limit=limit,
        nonconformity=measure_nonconformity(truth, probabilities),
        target_error=targets.error,
        error_bound=chosen.error_bound,
        promise_confidence=targets.confidence,
        groups=chosen.groups,
        needed=chosen.needed,
        operating_point=choose_operating_point(malignant, score_malignant(calibrated, benign), targets.sensitivity),
        set_confidence=targets.set_confidence,
        model=model,
    )


def _warn_of_no_promise(targets: Targets, needed: int, groups: int) -> None:
    logger.warning(
        "The %d groups of validation images do not show, at %g, that at most %g of the opinions are wrong: there are "
        "too few of them, or too many confident opinions are wrong. It takes %d groups without an error, more if some "
        "are wrong. %s",
        groups,
        targets.confidence,
        targets.error,
        needed,
        "Opinions are given all the same, without a promise (evaluation.unproven_opinions)."
        if targets.unproven
        else "The classifier abstains on every image. Give more images, a larger evaluation.target_error, or "
        "evaluation.unproven_opinions=true.",
    )


def form_opinions(
    probabilities: np.ndarray,
    ood: OutOfDistribution,
    calibration: Calibration,
    class_names: Sequence[str],
    certificates: Certificates | None = None,
) -> pd.DataFrame:
    """Form the classifier's final opinion on each image, or the reason for abstaining.

    Args:
        probabilities: The classifier's output, ``[n, classes]``.
        ood: Out-of-distribution scores of the same images, from ``KnownImages``.
        calibration: Learned from validation images.
        class_names: The classes in the order of the probabilities.
        certificates: What each opinion rests on, if computed: an opinion that rests on any circumstance is withheld.

    Returns:
        One row per image: ``opinion`` (a class, or ``abstained``), ``reason`` (for abstaining, else empty; for an image
        unlike the training images it names the difference), ``prediction_set`` (formatted by ``name_sets``),
        ``ood_score``, with certificates also the columns of ``Certificates.tabulate``, and one calibrated probability
        column per class.
    """
    calibrated = apply_temperature(probabilities, calibration.temperature)
    unsure = ~(calibrated.max(axis=1) >= calibration.threshold)
    why = UNPROMISED if calibration.threshold >= NEVER else UNSURE
    unlike = np.array([f"{UNLIKE}: {words}" for words in ood.why], dtype=object)
    resting = "" if certificates is None else certificates.give_reasons()
    reason = np.select([ood.score > calibration.ood_limit, unsure], [unlike, why], resting).astype(str)
    likeliest = np.array(class_names)[calibrated.argmax(axis=1)]
    facts = {"opinion": np.where(reason == "", likeliest, ABSTAINED), "reason": reason}
    sets = form_prediction_sets(probabilities, calibration.nonconformity, calibration.set_confidence)
    facts |= {"prediction_set": name_sets(sets, class_names), "ood_score": ood.score}
    facts |= {} if certificates is None else certificates.tabulate()
    return pd.DataFrame(facts | dict(zip(probability_columns(class_names), calibrated.T, strict=True)))
