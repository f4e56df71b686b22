"""Pooling as Caffe and PyTorch count its windows, which is not as Keras does."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops


def pad_and_convolve(maps: keras.KerasTensor, convolution: layers.Conv2D, padding: int) -> keras.KerasTensor:
    """Convolve with zeros on all four sides, of which Keras' ``same`` leaves out some where the stride is 2.

    Args:
        maps: ``[batch, height, width, channels]``.
        convolution: Of padding ``valid``.
        padding: How many zeros on each side.
    """
    return convolution(layers.ZeroPadding2D(padding, name=f"{convolution.name}_pad")(maps))


def pool_to_the_end(maps: keras.KerasTensor, name: str, size: int = 3) -> keras.KerasTensor:
    """Take the highest of each window, with a stride of 2, so that no pixel at the end is left out.

    The last window may reach beyond the end, as in Caffe, and in PyTorch with ``ceil_mode``.

    Args:
        maps: ``[batch, height, width, channels]``, nowhere negative; height and width are known.
        name: Of the pooling.
        size: Side of the windows.
    """
    missing = [size - side if side < size else (size - side) % 2 for side in maps.shape[1:3]]
    if any(missing):  # zeros are never higher than what is there
        maps = layers.ZeroPadding2D([(0, number) for number in missing], name=f"{name}_pad")(maps)
    return layers.MaxPooling2D(size, strides=2, name=name)(maps)


@keras.saving.register_keras_serializable("leukoscope")
class AdaptiveAverage(layers.Layer):
    """Average windows that are as many as wanted, whatever the size of the maps: PyTorch's adaptive pooling.

    Windows overlap where they must, and where maps are smaller than what is wanted each place is in several. Keras'
    layer of that kind cannot do the latter in a graph of TensorFlow.

    Args:
        side: How many windows there are along height and width.
        options: Those of every layer.

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
        """Give the shape of the output."""
        return (input_shape[0], self.side, self.side, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Give what makes such a layer again."""
        return super().get_config() | {"side": self.side}


def _weigh(length: int, windows: int) -> np.ndarray:
    """Give the weight of each place in each window's mean, ``[windows, places]``."""
    weights = np.zeros((windows, length))
    for window in range(windows):
        start = window * length // windows  # rounded down
        stop = -(-(window + 1) * length // windows)  # rounded up
        weights[window, start:stop] = 1 / (stop - start)
    return weights
