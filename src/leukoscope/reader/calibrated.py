"""The one way from pixels to an opinion: predict, hold against the training images, calibrate, abstain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.evaluation.certificate import Certificates
from leukoscope.evaluation.out_of_distribution import KnownImages, OutOfDistribution
from leukoscope.evaluation.trust import Calibration, form_opinions
from leukoscope.images.circumstances import CIRCUMSTANCES, change_fields
from leukoscope.images.field_checks import check_fields
from leukoscope.inference.predictor import Predictor
from leukoscope.models.base import Classifier


class Predicted(NamedTuple):
    """What a classifier sees in some images.

    Attributes:
        probabilities: As the classifier gives them, ``float32 [n, classes]``, rows add up to 1.
        features: What its last layer sees, ``float32 [n, channels]``.
        ood: How unlike the training images they are.
        checks: As ``check_fields`` gives them, ``float32 [n, checks]``.
    """

    probabilities: np.ndarray
    features: np.ndarray
    ood: OutOfDistribution
    checks: np.ndarray


@dataclass(frozen=True)
class CalibratedClassifier:
    """A classifier with what was learned of it: everything that an opinion depends on.

    Attributes:
        class_names: The classes in the order of the probabilities.
        predictor: Predicts by the classifier.
        known: The images that it learned from.
        calibration: Learned from its validation images.
    """

    class_names: tuple[str, ...]
    predictor: Predictor
    known: KnownImages
    calibration: Calibration

    @classmethod
    def restore(
        cls, classifier: Classifier, calibration: Mapping[str, Any], features: pd.DataFrame, batch_size: int
    ) -> Self:
        """Bring together what an evaluation left behind.

        Args:
            classifier: Trained.
            calibration: As ``Calibration.describe`` gives it.
            features: Of the training images, with their checks, and by which model.
            batch_size: Images at a time.

        Raises:
            InputError: The calibration was edited, or is not of the model whose features these are; or they are of an
                earlier version.
        """
        learned = Calibration.restore(calibration, str(features["model"].iloc[0]))
        known = KnownImages.learn(features)
        return cls(tuple(classifier.class_names), Predictor(classifier, batch_size), known, learned)

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None) -> Predicted:
        """Predict images, and hold them against the training images.

        Args:
            pixels: ``uint8 [n, size, size, 3]``, RGB.
            rows: Which of them; all by default.
        """
        probabilities, features = self.predictor.predict(pixels, rows)
        checks = check_fields(pixels, rows)
        return Predicted(probabilities, features, self.known.compare(features, checks), checks)

    def certify(self, pixels: np.ndarray, predicted: Predicted) -> Certificates:
        """Ask again of each image as another laboratory would have sent it: eighteen predictions an image.

        Args:
            pixels: ``uint8 [n, size, size, 3]``, RGB.
            predicted: What was seen in these.
        """
        again = {
            group: (self._ask(change_fields(pixels, change)) for change in changes)
            for group, changes in CIRCUMSTANCES.items()
        }
        return Certificates.weigh(self.calibrate(predicted), again)

    def _ask(self, pixels: np.ndarray) -> np.ndarray:
        return apply_temperature(self.predictor.predict(pixels)[0], self.calibration.temperature)

    def form_opinions(self, predicted: Predicted, certificates: Certificates | None = None) -> pd.DataFrame:
        """Give an opinion on each image, or the reason why there is none; as ``trust.form_opinions`` has it."""
        probabilities = predicted.probabilities
        ood = predicted.ood
        return form_opinions(probabilities, ood, self.calibration, self.class_names, certificates)

    def summarise(self, predicted: Predicted) -> pd.DataFrame:
        """Reduce images to what is watched of them, as ``KnownImages.summarise`` does."""
        return self.known.summarise(predicted.features, predicted.checks)

    def calibrate(self, predicted: Predicted) -> np.ndarray:
        """Give the calibrated probabilities, ``[n, classes]``."""
        return apply_temperature(predicted.probabilities, self.calibration.temperature)

    def flag_unlike(self, predicted: Predicted) -> np.ndarray:
        """Tell which images are too unlike the training images for an opinion, boolean ``[n]``."""
        return predicted.ood.score > self.calibration.ood_limit
