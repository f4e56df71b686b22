"""Optical densities of dyes, and their frequencies, as layers before a network.

Use the dtype float32 in mixed precision, which is too coarse for these layers.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from leukoscope.features.stains import DENSITIES


@keras.saving.register_keras_serializable("leukoscope")
class OpticalDensity(layers.Layer):
    """Convert pixels to optical densities by the Beer-Lambert law: ``-log10(max(pixel, 1) / 255)``.

    A pixel that is black in all channels is the surround of a cut-out cell, and counts as white.

    Input and output: ``[batch, height, width, 3]``, RGB in 0-255 to 0 (white) to 2.41 (black).
    """

    def call(self, images: Any) -> Any:
        """Compute the densities."""
        # Otherwise the surround of a cut-out cell would be the densest stain of all.
        outside = ops.all(images == 0, axis=-1, keepdims=True)
        light = ops.where(outside, 255.0, ops.maximum(images, 1.0)) / 255.0
        return -ops.log10(light)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape


@keras.saving.register_keras_serializable("leukoscope")
class StainDeconvolution(layers.Layer):
    """Separate optical densities into dyes by a learned matrix: ``tanh(density . W)``.

    Duggal et al. 2017, SD-Layer: stain deconvolutional layer for CNNs in medical microscopic imaging. The matrix starts
    as the inverse of the densities of haematoxylin, eosin and DAB (Ruifrok and Johnston 2001); the paper derives it
    from an image by a singular value decomposition.

    Input and output: ``[batch, height, width, 3]``, optical densities to amounts of three dyes, from -1 to 1.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the matrix."""
        self.kernel = self.add_weight(shape=(3, 3), initializer=_invert_densities, name="kernel")

    def call(self, densities: Any) -> Any:
        """Compute the amounts."""
        return ops.tanh(ops.matmul(densities, self.kernel))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape


def _invert_densities(shape: tuple[int, ...], dtype: str | None = None) -> Any:
    return ops.convert_to_tensor(np.linalg.inv(DENSITIES), dtype)


@keras.saving.register_keras_serializable("leukoscope")
class Dct2D(layers.Layer):
    """Compute the frequencies of each channel: the orthonormal discrete cosine transform, type II, of rows and columns.

    Their magnitudes are compressed, ``sign(x) * log10(abs(x) + 1)``, as in Gehlot et al. 2020 (SDCT-AuxNet).

    Args:
        compressed: Whether to compress the magnitudes.
        options: Options of every layer.

    Input and output: ``[batch, height, width, channels]``, of a known height and width.
    """

    def __init__(self, compressed: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.compressed = compressed

    def call(self, maps: Any) -> Any:
        """Compute the frequencies; the constant one is at row and column 0."""
        rows, columns = (ops.convert_to_tensor(make_cosines(side), maps.dtype) for side in maps.shape[1:3])
        planes = ops.transpose(maps, (0, 3, 1, 2))
        planes = ops.matmul(ops.matmul(rows, planes), ops.transpose(columns))
        frequencies = ops.transpose(planes, (0, 2, 3, 1))
        if not self.compressed:
            return frequencies
        # The constant frequency is hundreds of times larger than the others: logarithms bring them to one scale.
        return ops.sign(frequencies) * ops.log10(ops.abs(frequencies) + 1.0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return super().get_config() | {"compressed": self.compressed}


def make_cosines(size: int) -> np.ndarray:
    """Compute the matrix of the transform, ``[frequencies, positions]``; its inverse is its transpose."""
    frequency, place = np.mgrid[:size, :size]
    cosines = np.sqrt(2 / size) * np.cos(np.pi * frequency * (2 * place + 1) / (2 * size))
    cosines[0] = np.sqrt(1 / size)
    return cosines
