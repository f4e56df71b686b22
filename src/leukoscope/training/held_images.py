"""Images held on the device, so that a training step only receives their indices."""

from typing import Any

import keras
import numpy as np


class HeldImages(keras.layers.Layer):
    """Looks up rows of an array that is stored on the device.

    Args:
        array: ``uint8 [n, height, width, 3]``, copied to the device once.
    """

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(trainable=False, dtype="float32")
        self.held = self.add_weight(
            shape=array.shape, dtype="uint8", initializer=lambda *_, **__: array, trainable=False
        )
        self.built = True

    def call(self, rows: Any) -> Any:
        """Return the images of some rows, ``int32 [batch]``, as the float32 in which they are resized."""
        return keras.ops.cast(keras.ops.take(self.held, rows, axis=0), "float32")

    def compute_output_spec(self, rows: Any) -> keras.KerasTensor:
        """Return the images' shape and type."""
        return keras.KerasTensor((*rows.shape, *self.held.shape[1:]), "float32")
