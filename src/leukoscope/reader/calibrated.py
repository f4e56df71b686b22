"""The single path from pixels to an opinion: predict, compare with the training images, calibrate, abstain."""

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
    """A classifier's output for some images.

    Attributes:
        probabilities: Uncalibrated probabilities, ``float32 [n, classes]``, rows add up to 1.
        features: Features of the last layer, ``float32 [n, channels]``.
        ood: How unlike the training images they are.
        checks: Checks from ``check_fields``, ``float32 [n, checks]``.
    """

    probabilities: np.ndarray
    features: np.ndarray
    ood: OutOfDistribution
    checks: np.ndarray


@dataclass(frozen=True)
class CalibratedClassifier:
    """A classifier with its calibration and training images: everything that an opinion depends on.

    Attributes:
        class_names: The classes in the order of the probabilities.
        predictor: Runs the classifier.
        known: The images that it was trained on.
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
        """Assemble it from the outputs of an evaluation.

        Args:
            classifier: The trained classifier.
            calibration: The output of ``Calibration.describe``.
            features: Features of the training images, with their checks, and the fingerprint of the model.
            batch_size: Number of images per batch.

        Raises:
            InputError: The calibration was edited, or belongs to another model than the features; or one of them is of
                an earlier version.
        """
        learned = Calibration.restore(calibration, str(features["model"].iloc[0]))
        known = KnownImages.learn(features)
        return cls(tuple(classifier.class_names), Predictor(classifier, batch_size), known, learned)

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None) -> Predicted:
        """Predict images, and compare them with the training images.

        Args:
            pixels: ``uint8 [n, size, size, 3]``, RGB.
            rows: Rows to predict; all by default.
        """
        probabilities, features = self.predictor.predict(pixels, rows)
        checks = check_fields(pixels, rows)
        return Predicted(probabilities, features, self.known.compare(features, checks), checks)

    def certify(self, pixels: np.ndarray, predicted: Predicted) -> Certificates:
        """Repeat the prediction of each image as other laboratories would have sent it: eighteen predictions per image.

        Args:
            pixels: ``uint8 [n, size, size, 3]``, RGB.
            predicted: The predictions on these images.
        """
        again = {
            group: (self._ask(change_fields(pixels, change)) for change in changes)
            for group, changes in CIRCUMSTANCES.items()
        }
        return Certificates.weigh(self.calibrate(predicted), again)

    def _ask(self, pixels: np.ndarray) -> np.ndarray:
        return apply_temperature(self.predictor.predict(pixels)[0], self.calibration.temperature)

    def form_opinions(self, predicted: Predicted, certificates: Certificates | None = None) -> pd.DataFrame:
        """Form an opinion on each image, or the reason for abstaining, as in ``trust.form_opinions``."""
        probabilities = predicted.probabilities
        ood = predicted.ood
        return form_opinions(probabilities, ood, self.calibration, self.class_names, certificates)

    def summarise(self, predicted: Predicted) -> pd.DataFrame:
        """Reduce images to the measurements that are monitored, as ``KnownImages.summarise`` does."""
        return self.known.summarise(predicted.features, predicted.checks)

    def calibrate(self, predicted: Predicted) -> np.ndarray:
        """Return the calibrated probabilities, ``[n, classes]``."""
        return apply_temperature(predicted.probabilities, self.calibration.temperature)

    def flag_unlike(self, predicted: Predicted) -> np.ndarray:
        """Return which images are too unlike the training images for an opinion, boolean ``[n]``."""
        return predicted.ood.score > self.calibration.ood_limit
