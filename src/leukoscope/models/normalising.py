"""Stain normalisation as a layer before a network, so that a saved, served or exported one has it inside."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from leukoscope.features.normalisation import DARKEST, FLAT, MOST_GAIN, TO_CONES, TO_OPPONENTS

_DECADE = float(np.log(10))


@keras.saving.register_keras_serializable("leukoscope")
class ReinhardNormalisation(layers.Layer):
    """Give each image the mean and the deviation of a target in l-alpha-beta, as ``features.normalisation`` has it.

    It learns nothing: the target was measured on the training images, and is a part of its configuration. Give it the
    dtype float32 in mixed precision, which is too coarse for it.

    Args:
        mean: Of l, alpha and beta, in decades.
        deviation: Of the same.
        options: Those of every layer.

    Input and output: ``[batch, height, width, 3]``, RGB in 0-255.
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.mean = [float(value) for value in mean]
        self.deviation = [float(value) for value in deviation]

    def call(self, images: Any) -> Any:
        """Normalise the images, each by itself."""
        # RGB to the cones LMS, their logarithms to l, alpha and beta (Reinhard et al. 2001).
        light = ops.maximum(images, DARKEST) / 255.0
        cones = ops.matmul(light, self._hold(TO_CONES.T))
        channels = ops.matmul(ops.log(cones) / _DECADE, self._hold(TO_OPPONENTS.T))
        centred = channels - ops.mean(channels, axis=(1, 2), keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(centred), axis=(1, 2), keepdims=True))
        # As a difference of logarithms: in 8 bits a small deviation is 0, by which nothing could be divided.
        gain = ops.exp(self._hold(np.log(np.maximum(self.deviation, FLAT))) - ops.log(ops.maximum(deviation, FLAT)))
        gain = ops.where(deviation > FLAT, ops.clip(gain, 1 / MOST_GAIN, MOST_GAIN), ops.ones_like(gain))
        moved = ops.matmul(centred * gain + self._hold(self.mean), self._hold(np.linalg.inv(TO_OPPONENTS).T))
        pixels = ops.matmul(ops.exp(moved * _DECADE), self._hold(np.linalg.inv(TO_CONES).T))
        return ops.clip(pixels * 255.0, 0.0, 255.0)

    def _hold(self, values: Any) -> Any:
        return ops.convert_to_tensor(np.asarray(values), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give the shape of the output, which is that of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Give what makes such a layer again: the target is in it."""
        return super().get_config() | {"mean": self.mean, "deviation": self.deviation}
