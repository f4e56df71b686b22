"""Augmentation as layers of the training model: for each image one affine map, one stain change, and camera effects."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from leukoscope.backend import kernels
from leukoscope.features.stains import DENSITIES
from leukoscope.training.camera import RandomBlur, RandomCompression, RandomNoise

_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def build_augmentation(
    seed: int,
    stain: float = 0.0,
    brightness: float = 0.0,
    grey: float = 0.0,
    blur: float = 0.0,
    noise: float = 0.0,
    compression: float | None = None,
    **geometry: Any,
) -> keras.Sequential:
    """Build the layers before the network: the affine map, then the requested effects in the order of the light path.

    Args:
        seed: Seed of all draws.
        stain: As in ``RandomStain``.
        brightness: As in ``RandomStain``.
        grey: As in ``RandomStain``.
        blur: As in ``RandomBlur``.
        noise: As in ``RandomNoise``.
        compression: As in ``RandomCompression``; ``None``: no compression.
        geometry: The arguments of ``RandomAffine``.
    """
    layers: list[keras.layers.Layer] = [RandomAffine(**geometry, seed=seed, dtype="float32")]
    if stain or brightness or grey:
        layers.append(RandomStain(stain=stain, brightness=brightness, grey=grey, seed=seed + 1, dtype="float32"))
    if blur:
        layers.append(RandomBlur(blur=blur, seed=seed + 2, dtype="float32"))
    if noise:
        layers.append(RandomNoise(noise=noise, seed=seed + 3, dtype="float32"))
    if compression:
        layers.append(RandomCompression(compression=compression, seed=seed + 4, dtype="float32"))
    return keras.Sequential(layers, name="augmentation")


class RandomStain(keras.layers.Layer):
    """Change each image's dyes and light at random, and remove the colour from some: cells keep their shape.

    Optical densities are separated into haematoxylin, eosin and a residual, each of which is scaled and shifted, and
    recombined: one matrix per image (Tellez et al. 2019). Outside training, images pass unchanged.

    Args:
        stain: Largest change of a dye: 0.2 scales it by 0.8 to 1.2, and shifts it by a tenth of that in density.
        brightness: Largest change of the light, as a share.
        grey: Share of the images that lose their colour afterwards.
        seed: Seed of the sequence of all draws.

    Input and output: ``[batch, height, width, 3]``, RGB, 0-255, float.
    """

    def __init__(
        self, *, stain: float = 0.0, brightness: float = 0.0, grey: float = 0.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stain = stain
        self.brightness = brightness
        self.grey = grey
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Change a batch, in training only."""
        if not training:
            return images
        batch, height, width, _ = ops.shape(images)
        flat = ops.reshape(images, (batch, height * width, 3))
        matrix, shift = self._draw_mixtures(batch)
        # As in images.perturbations.scale_dyes: dyes add up in density; adding one gives black a finite logarithm.
        density = -ops.log((ops.clip(flat, 0.0, 255.0) + 1.0) / 256.0)
        changed = 256.0 * ops.exp(-(ops.matmul(density, matrix) + shift[:, None, :])) - 1.0
        changed = ops.clip(changed, 0.0, 255.0)
        pale = ops.matmul(changed, ops.convert_to_tensor(np.tile(_LUMINANCE[:, None], 3), changed.dtype))
        chosen = keras.random.uniform((batch, 1, 1), seed=self.generator) < self.grey
        return ops.reshape(ops.where(chosen, pale, changed), ops.shape(images))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def _draw_mixtures(self, batch: Any) -> tuple[Any, Any]:
        """Draw each image's map from densities to densities, ``[batch, 3, 3]``, and its offset, ``[batch, 3]``."""
        apart, together = (ops.convert_to_tensor(matrix, "float32") for matrix in (np.linalg.inv(DENSITIES), DENSITIES))
        scale = 1.0 + keras.random.uniform((batch, 1, 3), -self.stain, self.stain, seed=self.generator)
        shift = keras.random.uniform((batch, 3), -self.stain / 10, self.stain / 10, seed=self.generator)
        light = keras.random.uniform((batch, 1), -self.brightness, self.brightness, seed=self.generator)
        return ops.matmul(apart * scale, together), ops.matmul(shift, together) - ops.log1p(light)


class RandomAffine(keras.layers.Layer):
    """Flip, rotate, zoom and shift each image at random: composed into one matrix, resampled once.

    Pixels beyond the border are reflected. Outside training, images pass unchanged.

    Args:
        horizontal_flip: Mirror left and right, in half of the images.
        vertical_flip: Mirror top and bottom, in half of the images.
        rotation: Largest angle in degrees, to either side.
        zoom: Largest change of scale, as a share: 0.1 draws scales of 0.9 to 1.1.
        shift: Largest shift along either axis, as a share of the side.
        seed: Seed of the sequence of all draws.

    Input and output: ``[batch, height, width, channels]``, square, float.
    """

    def __init__(
        self,
        *,
        horizontal_flip: bool = True,
        vertical_flip: bool = False,
        rotation: float = 0.0,
        zoom: float = 0.0,
        shift: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rotation = rotation
        self.zoom = zoom
        self.shift = shift
        self.generator = keras.random.SeedGenerator(seed)
        self.supports_jit = keras.backend.backend() != "tensorflow"  # XLA cannot compile TensorFlow's transform

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Warp a batch, in training only."""
        if not training:
            return images
        return kernels.warp(images, self._draw_matrices(images))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def _draw_matrices(self, images: Any) -> Any:
        """Draw one map from output to input pixels for each image: ``[batch, 8]``, as Keras' transform expects it."""
        batch = ops.shape(images)[0]
        side = ops.shape(images)[1]
        angle = self._draw(batch, math.radians(self.rotation))
        scale = 1.0 / (1.0 + self._draw(batch, self.zoom))
        mirror_x = self._draw_sign(batch, self.horizontal_flip)
        mirror_y = self._draw_sign(batch, self.vertical_flip)
        # From output to input: the rows of (mirror, zoom, rotation), about the centre of the pixels.
        a0 = ops.cos(angle) * scale * mirror_x
        a1 = -ops.sin(angle) * scale * mirror_x
        b0 = ops.sin(angle) * scale * mirror_y
        b1 = ops.cos(angle) * scale * mirror_y
        pixels = ops.cast(side, "float32")
        centre = (pixels - 1.0) / 2.0
        shift_x, shift_y = (self._draw(batch, self.shift) * pixels for _ in range(2))
        # Keep the centre fixed, then add the shift.
        a2 = centre - a0 * centre - a1 * centre + shift_x
        b2 = centre - b0 * centre - b1 * centre + shift_y
        zeros = ops.zeros_like(a0)
        return ops.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1)

    def _draw(self, batch: Any, limit: float) -> Any:
        return keras.random.uniform((batch,), -limit, limit, seed=self.generator)

    def _draw_sign(self, batch: Any, enabled: bool) -> Any:
        if not enabled:
            return ops.ones((batch,))
        return ops.where(keras.random.uniform((batch,), seed=self.generator) < 0.5, -1.0, 1.0)
