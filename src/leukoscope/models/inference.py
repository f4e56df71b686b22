"""Predicting with a classifier."""

from typing import Any

import keras
import numpy as np

from leukoscope.images.batches import ImageBatches
from leukoscope.models import backend
from leukoscope.models.classifier import Classifier


def predict_with_features(
    classifier: Classifier, pixels: np.ndarray, rows: np.ndarray, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predict some images of the packed array, and keep what the classifier's last layer sees of them.

    Args:
        classifier: A classifier.
        pixels: All images, ``uint8 [n, height, width, 3]``.
        rows: The rows to predict.
        batch_size: Images at a time.

    Returns:
        Probabilities, ``float32 [rows, classes]``, each row adding up to one; features, ``float32 [rows, channels]``.
    """
    network = classifier.network
    both = keras.Model(network.inputs, [network.output, network.get_layer("features").output])
    return _predict(both, pixels, rows, batch_size)


def predict_probabilities(classifier: Classifier, pixels: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Predict some images of the packed array.

    Args:
        classifier: A classifier.
        pixels: All images, ``uint8 [n, height, width, 3]``.
        rows: The rows to predict.
        batch_size: Images at a time.

    Returns:
        Probabilities, ``float32 [rows, classes]``, each row adding up to one.
    """
    return _predict(classifier.network, pixels, rows, batch_size)


def _predict(model: keras.Model, pixels: np.ndarray, rows: np.ndarray, batch_size: int) -> Any:
    if not model.compiled:  # compiled anew it would be traced anew, which takes seconds
        backend.fuse_batch_norm(model)
        model.compile(jit_compile=backend.choose_jit())
    return model.predict(ImageBatches(pixels, rows, batch_size=batch_size), verbose=0)
