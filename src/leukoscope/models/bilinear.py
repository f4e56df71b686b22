"""Bilinear pooling: features from pairs of channels."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("leukoscope")
class BilinearPooling(layers.Layer):
    """Sum the products of each pair of channels over all positions, and normalise the result to unit length.

    Lin et al. 2015, Bilinear CNN models for fine-grained visual recognition: signed square roots, and a vector of
    length 1. Use the dtype float32 in mixed precision.

    Args:
        epsilon: Added under the square root.
        options: Options of every layer.

    Input: ``[batch, height, width, channels]``. Output: ``[batch, channels * channels]``.
    """

    def __init__(self, epsilon: float = 1e-5, **options: Any) -> None:
        super().__init__(**options)
        self.epsilon = epsilon

    def call(self, maps: Any) -> Any:
        """Pool the maps."""
        _, height, width, channels = maps.shape
        places = ops.reshape(maps, (-1, height * width, channels))
        products = ops.matmul(ops.transpose(places, (0, 2, 1)), places)
        products = ops.reshape(products, (-1, channels * channels))
        roots = ops.sign(products) * ops.sqrt(ops.abs(products) + self.epsilon)
        return roots / ops.sqrt(ops.sum(ops.square(roots), axis=-1, keepdims=True) + keras.config.epsilon())

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[int | None, int]:
        """Return the output shape."""
        return (input_shape[0], input_shape[-1] ** 2)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return super().get_config() | {"epsilon": self.epsilon}
