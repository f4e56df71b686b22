"""Augmentation as one layer of the training model: one affine map and one resampling an image."""

import math
from typing import Any

import keras
from keras import ops


class RandomAffine(keras.layers.Layer):
    """Flip, rotate, zoom and shift each image at random: composed into one matrix, resampled once.

    What lies beyond the border is reflected. Outside training the images pass unchanged.

    Args:
        horizontal_flip: Mirror left and right, in half of the images.
        vertical_flip: Mirror top and bottom, in half of the images.
        rotation: Largest angle in degrees, to either side.
        zoom: Largest change of scale, as a share: 0.1 draws scales of 0.9 to 1.1.
        shift: Largest shift along either axis, as a share of the side.
        seed: For the sequence of all draws.

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

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Warp a batch, in training only."""
        if not training:
            return images
        return ops.image.affine_transform(
            images, self._draw_matrices(images), interpolation="bilinear", fill_mode="reflect"
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give the shape of the output, which is that of the input."""
        return input_shape

    def _draw_matrices(self, images: Any) -> Any:
        """Draw one map from output to input pixels for each image: ``[batch, 8]``, as Keras' transform wants it."""
        batch, side = ops.shape(images)[0], ops.shape(images)[1]
        angle = self._draw(batch, math.radians(self.rotation))
        scale = 1.0 / (1.0 + self._draw(batch, self.zoom))
        mirror_x = self._draw_sign(batch, self.horizontal_flip)
        mirror_y = self._draw_sign(batch, self.vertical_flip)
        a0, a1 = ops.cos(angle) * scale * mirror_x, -ops.sin(angle) * scale * mirror_x
        b0, b1 = ops.sin(angle) * scale * mirror_y, ops.cos(angle) * scale * mirror_y
        pixels = ops.cast(side, "float32")
        centre = (pixels - 1.0) / 2.0
        shift_x, shift_y = (self._draw(batch, self.shift) * pixels for _ in range(2))
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
