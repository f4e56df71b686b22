"""Prediction with a classifier, one batch at a time."""

import numpy as np

from leukoscope.models.base import Classifier


class Predictor:
    """Predicts images of a packed array, and returns the input of the classifier's last layer with them.

    Args:
        classifier: A classifier.
        batch_size: Images at a time.
    """

    def __init__(self, classifier: Classifier, batch_size: int) -> None:
        self._classifier = classifier
        self._batch_size = batch_size

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Predict some images.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which images to predict; all by default.

        Returns:
            Probabilities, ``float32 [rows, classes]``, each row adding up to one, and features,
            ``float32 [rows, channels]``.
        """
        probabilities, features = self._classifier.predict(pixels, rows, self._batch_size)
        if features is None:
            raise TypeError(f"{type(self._classifier).__name__} gives no features, which opinions need")
        return probabilities, features

    def score(self, pixels: np.ndarray) -> np.ndarray:
        """Compute the images' log-probabilities, up to a constant per image.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.

        Returns:
            ``[n, classes]``.
        """
        return self._classifier.score(self._classifier.predict(pixels, None, self._batch_size))
