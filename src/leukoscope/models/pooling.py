"""Pooling with Caffe's and PyTorch's window arithmetic, which differs from Keras'."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops


def pad_and_convolve(maps: keras.KerasTensor, convolution: layers.Conv2D, padding: int) -> keras.KerasTensor:
    """Convolve with zeros on all four sides; Keras' ``same`` omits some of them if the stride is 2.

    Args:
        maps: ``[batch, height, width, channels]``.
        convolution: A layer with ``valid`` padding.
        padding: Number of zeros on each side.
    """
    return convolution(layers.ZeroPadding2D(padding, name=f"{convolution.name}_pad")(maps))


def pool_to_the_end(maps: keras.KerasTensor, name: str, size: int = 3) -> keras.KerasTensor:
    """Apply max pooling with a stride of 2 such that no pixel at the end is left out.

    The last window may reach beyond the end, as in Caffe, and in PyTorch with ``ceil_mode``.

    Args:
        maps: ``[batch, height, width, channels]``, nowhere negative; height and width are known.
        name: Name of the pooling layer.
        size: Side of the windows.
    """
    missing = [size - side if side < size else (size - side) % 2 for side in maps.shape[1:3]]
    if any(missing):  # padded zeros never exceed the maps
        maps = layers.ZeroPadding2D([(0, number) for number in missing], name=f"{name}_pad")(maps)
    return layers.MaxPooling2D(size, strides=2, name=name)(maps)


@keras.saving.register_keras_serializable("leukoscope")
class AdaptiveAverage(layers.Layer):
    """Average over a fixed number of windows, whatever the size of the maps: PyTorch's adaptive pooling.

    Windows overlap where necessary; if the maps are smaller than the output, each position is in several windows.
    Keras' own adaptive layer cannot do the latter in a TensorFlow graph.

    Args:
        side: Number of windows along height and width.
        options: Options of every layer.

    Input: ``[batch, height, width, channels]`` of a known height and width. Output: ``[batch, side, side, channels]``.
    """

    def __init__(self, side: int, **options: Any) -> None:
        super().__init__(**options)
        self.side = side

    def call(self, maps: Any) -> Any:
        """Average the windows."""
        rows, columns = (ops.convert_to_tensor(_weigh(length, self.side), maps.dtype) for length in maps.shape[1:3])
        planes = ops.transpose(maps, (0, 3, 1, 2))
        return ops.transpose(ops.matmul(ops.matmul(rows, planes), ops.transpose(columns)), (0, 2, 3, 1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape."""
        return (input_shape[0], self.side, self.side, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return super().get_config() | {"side": self.side}


def _weigh(length: int, windows: int) -> np.ndarray:
    """Return the weight of each position in each window's mean, ``[windows, positions]``."""
    weights = np.zeros((windows, length))
    for window in range(windows):
        start = window * length // windows  # rounded down
        stop = -(-(window + 1) * length // windows)  # rounded up
        weights[window, start:stop] = 1 / (stop - start)
    return weights
