"""Stain normalisation by an image's own dyes, as a layer before a network: ``features.macenko`` for any backend."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from leukoscope.features.macenko import BACKGROUND, HIGH, LEAST_SPREAD, LEAST_STAINED, LOW
from leukoscope.features.normalisation import DARKEST, MOST_GAIN

_DECADE = float(np.log(10))
# Each halves the interval that holds a quantile: down to 2 / 2^16 of a sine, and MOST / 2^16 of an amount.
_HALVINGS = 16
# The densest pixel is 4.2 decades; amounts of barely distinguishable dyes may be larger, and are clipped.
_MOST = 16.0
# Matrix squarings after which only the main eigenvector remains.
_SQUARINGS = 6
_TINY = 1e-6


@keras.saving.register_keras_serializable("leukoscope")
class MacenkoNormalisation(layers.Layer):
    """Match each image's dyes in colour and strength to a target's; see ``features.macenko.normalise_dyes``.

    Neither ONNX nor LiteRT has eigenvectors or quantiles. Repeated squaring of the matrix leaves the first eigenvector,
    the second has a closed form in the perpendicular plane, and intervals are halved until they hold the quantiles. It
    learns nothing: the target is part of its configuration. Use the dtype float32 in mixed precision, which is too
    coarse for it.

    Args:
        azure: Optical densities of the dye that absorbs less green, a unit vector of red, green and blue.
        eosin: Optical densities of the other dye.
        most: Maximum amount of each dye, in decades.
        options: Options of every layer.

    Input and output: ``[batch, height, width, 3]``, RGB in 0-255. An image in which no two dyes are found, such as a
    blank or a grey one, is returned unchanged.
    """

    def __init__(self, azure: Sequence[float], eosin: Sequence[float], most: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.azure, self.eosin, self.most = ([float(value) for value in values] for values in (azure, eosin, most))

    def call(self, images: Any) -> Any:
        """Normalise each image separately."""
        # Beer-Lambert: amounts of dye add up in optical density, not in brightness.
        densities = ops.log(ops.maximum(images, DARKEST) / 255.0) / -_DECADE
        stained = ops.cast(_length(densities) >= BACKGROUND, densities.dtype)
        share = ops.mean(stained, axis=(1, 2), keepdims=True)
        first, second = self._find_plane(densities * stained)
        dyes, spread = _find_edges(_dot(densities, first), _dot(densities, second), stained, first, second)
        amounts = _unmix(densities, *dyes)
        most = _find_quantiles(amounts, stained, (HIGH, HIGH), 0.0, _MOST)
        gain = ops.clip(self._hold(self.most) / ops.maximum(most, _TINY), 1 / MOST_GAIN, MOST_GAIN)
        mixed = ops.matmul(amounts * gain, self._hold([self.azure, self.eosin]))
        pixels = ops.clip(255.0 * ops.exp(mixed * -_DECADE), 0.0, 255.0)
        is_stained = ops.logical_and(share >= LEAST_STAINED, spread >= LEAST_SPREAD)
        return ops.where(is_stained, pixels, images)

    def _find_plane(self, densities: Any) -> tuple[Any, Any]:
        """Find the two main directions of densities, ``[batch, 1, 1, 3]`` each; background must be 0."""
        channels = [densities[..., channel : channel + 1] for channel in range(3)]
        rows = [ops.mean(densities * channel, axis=(1, 2)) for channel in channels]
        moments = ops.stack(rows, axis=1)
        moments = moments / ops.maximum(ops.sum(moments * self._hold(np.eye(3)), (1, 2), keepdims=True), _TINY)
        # Exported files lack eigh: squaring and scaling leaves the projection on the main eigenvector.
        power = moments
        for _ in range(_SQUARINGS):
            power = ops.matmul(power, power)
            power = power / ops.maximum(ops.sum(power * self._hold(np.eye(3)), (1, 2), keepdims=True), _TINY)
        # All entries are positive, so the sums are not 0.
        first = _unit(ops.sum(power, axis=1))
        # The second direction lies in the plane perpendicular to the first, and its angle is found there.
        across = _unit(_cross(first, self._hold([[0.0, 0.0, 1.0]])))
        upright = _cross(first, across)
        second = _turn(moments, across, upright)
        sign = ops.where(ops.sum(second, axis=-1, keepdims=True) < 0, -1.0, 1.0)
        return first[:, None, None], (second * sign)[:, None, None]

    def _hold(self, values: Any) -> Any:
        return ops.convert_to_tensor(np.asarray(values), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration, including the target."""
        return super().get_config() | {"azure": self.azure, "eosin": self.eosin, "most": self.most}


def _dot(first: Any, second: Any) -> Any:
    return ops.sum(first * second, axis=-1, keepdims=True)


def _length(vectors: Any) -> Any:
    return ops.sqrt(_dot(vectors, vectors))


def _unit(vectors: Any) -> Any:
    return vectors / ops.maximum(_length(vectors), _TINY)


def _cross(first: Any, second: Any) -> Any:
    """Compute the cross product of ``[batch, 3]`` and ``[batch, 3]`` or ``[1, 3]``, which converters do not support."""
    a, b, c = (first[:, channel : channel + 1] for channel in range(3))
    d, e, f = (second[:, channel : channel + 1] for channel in range(3))
    return ops.concatenate([b * f - c * e, c * d - a * f, a * e - b * d], axis=-1)


def _turn(moments: Any, across: Any, upright: Any) -> Any:
    """Return the main direction of moments, ``[batch, 3, 3]``, within the plane of two perpendicular vectors."""
    by_across, by_upright = (ops.sum(moments * vector[:, None], axis=-1) for vector in (across, upright))
    difference = _dot(by_across, across) - _dot(by_upright, upright)
    product = 2 * _dot(by_across, upright)
    size = ops.sqrt(difference * difference + product * product)
    cosine = ops.where(size > 0, difference / ops.maximum(size, 1e-30), 1.0)  # of twice the angle
    half = ops.sqrt(ops.maximum((1 + cosine) / 2, 0.0)), ops.sqrt(ops.maximum((1 - cosine) / 2, 0.0))
    return across * half[0] + upright * half[1] * ops.where(product < 0, -1.0, 1.0)


def _find_edges(along: Any, aside: Any, stained: Any, first: Any, second: Any) -> tuple[tuple[Any, Any], Any]:
    """Find both dyes, ``[batch, 1, 1, 3]`` each, azure first, and the sine of the angle between them.

    Args:
        along: Densities along the first direction, ``[batch, height, width, 1]``.
        aside: Densities along the second direction.
        stained: 1 for stained pixels, 0 for background.
        first: The first direction, ``[batch, 1, 1, 3]``.
        second: The second direction.
    """
    sines = aside / ops.maximum(ops.sqrt(along * along + aside * aside), _TINY)
    edges = _find_quantiles(sines, stained, (LOW, HIGH), -1.0, 1.0)
    sine = edges[..., :1], edges[..., 1:]
    cosine = tuple(ops.sqrt(ops.maximum(1 - value * value, 0.0)) for value in sine)
    low, high = (first * across + second * up for across, up in zip(cosine, sine, strict=True))
    spread = sine[1] * cosine[0] - cosine[1] * sine[0]
    is_low = low[..., 1:2] <= high[..., 1:2]
    return (ops.where(is_low, low, high), ops.where(is_low, high, low)), spread


def _unmix(densities: Any, azure: Any, eosin: Any) -> Any:
    """Compute the least-squares amounts of two dyes that explain densities, ``[batch, height, width, 2]``."""
    common = _dot(azure, eosin)
    left = ops.maximum(1 - common * common, LEAST_SPREAD**2 / 4)  # only smaller where the result is unused
    by_azure = _dot(densities, azure)
    by_eosin = _dot(densities, eosin)
    return ops.concatenate([by_azure - common * by_eosin, by_eosin - common * by_azure], axis=-1) / left


def _find_quantiles(values: Any, counted: Any, shares: tuple[float, float], low: float, high: float) -> Any:
    """Find quantiles of the counted pixels, ``[batch, 1, 1, 2]``: the smallest values with these shares below.

    Args:
        values: ``[batch, height, width, 1 or 2]``.
        counted: 1 for pixels that count, else 0, ``[batch, height, width, 1]``.
        shares: One share per quantile; if there are two values, one for each.
        low: A bound below all values.
        high: A bound above all values.
    """
    wanted = ops.mean(counted, axis=(1, 2), keepdims=True) * ops.convert_to_tensor([[[shares]]], values.dtype)
    low = ops.zeros_like(wanted) + low
    high = ops.zeros_like(wanted) + high
    # Avoids sorting pixels: a quantile is where the share of values below it reaches the requested share.
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = ops.mean(ops.cast(values <= middle, values.dtype) * counted, axis=(1, 2), keepdims=True)
        enough = below >= wanted
        low = ops.where(enough, low, middle)
        high = ops.where(enough, middle, high)
    return high
