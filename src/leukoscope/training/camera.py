"""Camera effects as layers of the training model: blur, noise and compression, drawn for each image."""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np
from keras import ops

_BLOCK = 8
# ITU-T T.871, which is ITU-R BT.601 at full range, 0-255: columns are Y, Cb and Cr.
_TO_YCC = np.array([[0.299, -0.168736, 0.5], [0.587, -0.331264, -0.418688], [0.114, 0.5, -0.081312]])
# ITU-T T.81, tables K.1 and K.2.
_LUMINANCE_STEPS = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
_CHROMINANCE_STEPS = [
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    *[[99] * 8] * 4,
]
_STEPS = np.array([_LUMINANCE_STEPS, _CHROMINANCE_STEPS, _CHROMINANCE_STEPS], float)


class _RandomCamera(keras.layers.Layer, ABC):
    """Changes each image at random in training; outside training, images pass unchanged.

    Args:
        seed: Seed of the sequence of all draws.

    Input and output: ``[batch, height, width, 3]``, RGB, 0-255, float.
    """

    def __init__(self, *, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Change a batch, in training only."""
        return ops.clip(self._change(images), 0.0, 255.0) if training else images

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    @abstractmethod
    def _change(self, images: Any) -> Any:
        """Change a batch; the caller clips values to 0-255."""

    def _draw(self, images: Any, least: float, most: float) -> Any:
        """Draw a number for each image: ``[batch, 1, 1, 1]``."""
        return keras.random.uniform((ops.shape(images)[0], 1, 1, 1), least, most, seed=self.generator)


class RandomBlur(_RandomCamera):
    """Blur each image with a Gaussian of random width; pixels beyond the border are reflected.

    Args:
        blur: Largest standard deviation in pixels of the layer's input; each image's is drawn from 0 up to it.
        kwargs: Arguments of ``Layer``, and the seed.
    """

    def __init__(self, *, blur: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.blur = blur

    def _change(self, images: Any) -> Any:
        """Blur along the columns, then along the rows, by matrix products, which are fast on every device."""
        batch, height, width, channels = ops.shape(images)
        deviation = ops.maximum(self._draw(images, 0.0, self.blur)[..., 0], 1e-3)
        rows = ops.reshape(images, (batch, height, width * channels))
        rows = ops.matmul(_spread(height, deviation), rows)
        columns = ops.transpose(ops.reshape(rows, (batch, height, width, channels)), (0, 2, 1, 3))
        columns = ops.reshape(columns, (batch, width, height * channels))
        columns = ops.matmul(_spread(width, deviation), columns)
        return ops.transpose(ops.reshape(columns, (batch, width, height, channels)), (0, 2, 1, 3))


def _spread(size: int, deviation: Any) -> Any:
    """Return how much each pixel of a line contributes to each other: ``[batch, size, size]``; rows add up to 1.

    Args:
        size: Pixels of the line, which is reflected once at each end, edge pixels included.
        deviation: Standard deviation, ``[batch, 1, 1]``, in pixels.
    """
    place = np.arange(size, dtype="float32")
    # A Gaussian and its mirror images beyond both borders, equivalent to reflected padding.
    beside = place[:, None] - place
    before = place[:, None] + place + 1
    images = (beside, before, before - 2 * size)
    weights = sum(ops.exp(-0.5 * (ops.convert_to_tensor(apart[None]) / deviation) ** 2) for apart in images)
    return weights / ops.sum(weights, axis=-1, keepdims=True)


class RandomNoise(_RandomCamera):
    """Add normal noise to each image, independent in every pixel and channel.

    Args:
        noise: Largest standard deviation, of 255; each image's is drawn from 0 up to it.
        kwargs: Arguments of ``Layer``, and the seed.
    """

    def __init__(self, *, noise: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.noise = noise

    def _change(self, images: Any) -> Any:
        drawn = keras.random.normal(ops.shape(images), dtype=images.dtype, seed=self.generator)
        return images + self._draw(images, 0.0, self.noise) * drawn


class RandomCompression(_RandomCamera):
    """Reproduce the losses of JPEG: each block of 8 by 8 pixels is quantised in the frequencies of Y, Cb and Cr.

    Steps come from the standard's tables (ITU-T T.81, annex K), scaled as in libjpeg by a quality drawn for each image.
    Colour keeps its resolution (4:4:4). Rounding has no gradient, so no trainable layer may precede this one.

    Args:
        compression: The lowest quality, 1 to 100; each image's is drawn from there up to 100.
        kwargs: Arguments of ``Layer``, and the seed.
    """

    def __init__(self, *, compression: float = 100.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.compression = compression

    def _change(self, images: Any) -> Any:
        height, width = images.shape[1:3]
        # Convert to planes of Y, Cb and Cr around zero, as JPEG does before its cosine transform.
        planes = ops.transpose(ops.matmul(_fill(images) - 128.0, _constant(_TO_YCC, images)), (0, 3, 1, 2))
        waves = _turn(planes, _make_cosines())
        shape = ops.shape(waves)
        down = shape[2] // _BLOCK
        across = shape[3] // _BLOCK
        blocks = ops.reshape(waves, (shape[0], 3, down, _BLOCK, across, _BLOCK))
        # The loss itself: rounding to whole steps. Its gradient is zero, and no trainable layer precedes it.
        steps = ops.reshape(self._draw_steps(images), (shape[0], 3, 1, _BLOCK, 1, _BLOCK))
        kept = ops.reshape(ops.round(blocks / steps) * steps, shape)
        planes = ops.transpose(_turn(kept, _make_cosines().T), (0, 2, 3, 1))
        changed = ops.matmul(planes, _constant(np.linalg.inv(_TO_YCC), images)) + 128.0
        return changed[:, :height, :width]

    def _draw_steps(self, images: Any) -> Any:
        """Draw the quantisation steps of each image: ``[batch, 3, 8, 8]``, integers from 1 to 255."""
        quality = self._draw(images, self.compression, 100.0)
        # The Independent JPEG Group's scale, by which encoders interpret a quality.
        scale = ops.where(quality < 50.0, 5000.0 / quality, 200.0 - 2.0 * quality)
        return ops.clip(ops.floor((_constant(_STEPS[None], images) * scale + 50.0) / 100.0), 1.0, 255.0)


def _constant(values: np.ndarray, images: Any) -> Any:
    return ops.convert_to_tensor(values, images.dtype)


def _fill(images: Any) -> Any:
    """Repeat the last row and column to complete the blocks, as encoders do."""
    for axis in (1, 2):
        size = images.shape[axis]
        if size % _BLOCK:
            places = np.minimum(np.arange(-(-size // _BLOCK) * _BLOCK), size - 1)
            images = ops.take(images, places, axis=axis)
    return images


def _make_cosines() -> np.ndarray:
    """Compute the orthonormal DCT-II of eight values, one frequency per row: ``[8, 8]``."""
    frequency = np.arange(_BLOCK)[:, None]
    place = np.arange(_BLOCK)
    waves = np.cos(np.pi * frequency * (2 * place + 1) / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    waves[0] /= np.sqrt(2)
    return waves


def _turn(planes: Any, matrix: np.ndarray) -> Any:
    """Multiply each line of eight pixels of each block by a matrix, down and across.

    Args:
        planes: ``[batch, 3, height, width]``, whose sides are multiples of 8.
        matrix: ``[8, 8]``.
    """
    shape = ops.shape(planes)
    across = ops.matmul(ops.reshape(planes, (-1, _BLOCK)), _constant(matrix.T, planes))
    down = ops.matmul(_constant(matrix, planes), ops.reshape(across, (-1, _BLOCK, shape[3])))
    return ops.reshape(down, shape)
