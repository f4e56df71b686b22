"""Predicting with a classifier."""

import numpy as np

from leukoscope.images.batches import ImageBatches
from leukoscope.models import backend
from leukoscope.models.classifier import Classifier


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
    network = classifier.network
    backend.fuse_batch_norm(network)
    network.compile(jit_compile=backend.choose_jit())
    return network.predict(ImageBatches(pixels, rows, batch_size=batch_size), verbose=0)
