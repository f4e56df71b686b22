"""Predicting with a classifier, a batch at a time."""

from functools import cached_property

import keras
import numpy as np

from leukoscope.models import network
from leukoscope.models.base import Classifier


class Predictor:
    """Predicts images of a packed array, and keeps what the classifier's last layer sees of them.

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
            rows: Which of them; all by default.

        Returns:
            Probabilities, ``float32 [rows, classes]``, each row adding up to one; and features,
            ``float32 [rows, channels]``.
        """
        probabilities, features = self._classifier.predict(pixels, rows, self._batch_size)
        if features is None:
            raise TypeError(f"{type(self._classifier).__name__} gives no features, which opinions need")
        return probabilities, features

    @cached_property
    def _head(self) -> list[np.ndarray]:
        if not isinstance(self._classifier, network.Classifier):
            raise TypeError(f"{type(self._classifier).__name__} has no last layer whose scores could be given")
        return [keras.ops.convert_to_numpy(weights) for weights in self._classifier.parts.head.weights]

    def score(self, features: np.ndarray) -> np.ndarray:
        """Give the last layer's scores, before its softmax: ``[rows, channels]`` to ``[rows, classes]``."""
        kernel, bias = self._head
        return features @ kernel + bias
