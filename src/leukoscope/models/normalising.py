"""Stain normalisation as a layer before a network, so that saved, served and exported networks include it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from leukoscope.features.normalisation import DARKEST, FLAT, MOST_GAIN, TO_CONES, TO_OPPONENTS

_DECADE = float(np.log(10))


@keras.saving.register_keras_serializable("leukoscope")
class ReinhardNormalisation(layers.Layer):
    """Match each image's mean and deviation in l-alpha-beta to a target's; see ``features.normalisation``.

    It learns nothing: the target was measured on the training images, and is part of its configuration. Use the dtype
    float32 in mixed precision, which is too coarse for it.

    Args:
        mean: Means of l, alpha and beta, in decades.
        deviation: Standard deviations of l, alpha and beta, in decades.
        options: Options of every layer.

    Input and output: ``[batch, height, width, 3]``, RGB in 0-255.
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.mean = [float(value) for value in mean]
        self.deviation = [float(value) for value in deviation]

    def call(self, images: Any) -> Any:
        """Normalise each image separately."""
        # RGB to LMS cone responses, then their logarithms to l, alpha and beta (Reinhard et al. 2001).
        light = ops.maximum(images, DARKEST) / 255.0
        cones = ops.matmul(light, self._hold(TO_CONES.T))
        channels = ops.matmul(ops.log(cones) / _DECADE, self._hold(TO_OPPONENTS.T))
        centred = channels - ops.mean(channels, axis=(1, 2), keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(centred), axis=(1, 2), keepdims=True))
        # A difference of logarithms: in 8 bits a small deviation becomes 0, and a quotient would divide by zero.
        gain = ops.exp(self._hold(np.log(np.maximum(self.deviation, FLAT))) - ops.log(ops.maximum(deviation, FLAT)))
        gain = ops.where(deviation > FLAT, ops.clip(gain, 1 / MOST_GAIN, MOST_GAIN), ops.ones_like(gain))
        moved = ops.matmul(centred * gain + self._hold(self.mean), self._hold(np.linalg.inv(TO_OPPONENTS).T))
        pixels = ops.matmul(ops.exp(moved * _DECADE), self._hold(np.linalg.inv(TO_CONES).T))
        return ops.clip(pixels * 255.0, 0.0, 255.0)

    def _hold(self, values: Any) -> Any:
        return ops.convert_to_tensor(np.asarray(values), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration, including the target."""
        return super().get_config() | {"mean": self.mean, "deviation": self.deviation}
