"""Predicting with a classifier."""

import keras
import numpy as np

from leukoscope.images.batches import ImageBatches
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.network import Classifier


class Predictor:
    """Predicts images of a packed array, and keeps what the classifier's last layer sees of them.

    Made once for many calls: the backend traces a model anew for each predictor, which takes seconds.

    Args:
        classifier: A classifier.
        batch_size: Images at a time.
    """

    def __init__(self, classifier: Classifier, batch_size: int) -> None:
        network = fold_batch_norms(classifier.network)
        self._model = keras.Model(network.inputs, [network.output, network.get_layer("features").output])
        self._batch_size = batch_size
        self._head = [keras.ops.convert_to_numpy(one) for one in network.get_layer("probabilities").weights]
        self._model.compile()

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Predict some images.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which of them; all by default.

        Returns:
            Probabilities, ``float32 [rows, classes]``, each row adding up to one; and features,
            ``float32 [rows, channels]``.
        """
        if rows is None:
            return self._predict_held(pixels)
        return self._model.predict(ImageBatches(pixels, rows, batch_size=self._batch_size), verbose=0)

    def _predict_held(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predict batch by batch: each of Keras' own loops takes a while to start, and leaves memory behind."""
        starts = range(0, len(pixels), self._batch_size)
        parts = [self._model.predict_on_batch(pixels[start : start + self._batch_size]) for start in starts]
        probabilities, features = (np.concatenate(one) for one in zip(*parts, strict=True))
        return probabilities, features

    def score(self, features: np.ndarray) -> np.ndarray:
        """Give the last layer's scores, before its softmax: ``[rows, channels]`` to ``[rows, classes]``."""
        kernel, bias = self._head
        return features @ kernel + bias
