"""Layers of networks that read single cells from strips: the crops of a field's cells, stacked vertically."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from leukoscope.cells.crops import NEUTRAL

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LEAST_CONTRAST = 1.0  # of 255, in any channel: a slot with less is free


def cut_strip(strips: Any) -> Any:
    """Split strips into crops.

    Args:
        strips: ``[batch, cells * side, side, 3]``.

    Returns:
        The crops, field by field, ``[batch * cells, side, side, 3]``.
    """
    side = strips.shape[2] or ops.shape(strips)[2]
    return ops.reshape(strips, (-1, side, side, 3))


def join_strip(crops: Any, strips: Any) -> Any:
    """Stack modified crops into strips again, and repaint free slots grey.

    Args:
        crops: ``[batch * cells, side, side, 3]``, with a known side, 0-255, float.
        strips: The strips that they were cut from, with any side and a known number of slots.
    """
    side = crops.shape[1]
    cells = strips.shape[1] // strips.shape[2]
    free = ops.reshape(find_filled(strips), (-1, 1, 1, 1)) < 0.5
    return ops.reshape(ops.where(free, float(NEUTRAL), crops), (-1, cells * side, side, 3))


def find_filled(strips: Any) -> Any:
    """Return which slots hold a cell, ``[batch, cells]`` of 1 and 0 in float32: those with more than one colour.

    Args:
        strips: ``[batch, cells * side, side, 3]`` as cut out: noise would make free slots look filled.
    """
    height, width = (
        static or dynamic for static, dynamic in zip(strips.shape[1:3], ops.shape(strips)[1:3], strict=True)
    )
    crops = ops.reshape(ops.cast(strips, "float32"), (-1, height // width, width * width, 3))
    contrast = ops.max(crops, axis=2) - ops.min(crops, axis=2)
    return ops.cast(ops.max(contrast, axis=-1) >= _LEAST_CONTRAST, "float32")


def count_slots(height: int | None, width: int | None) -> int | None:
    """Count the crops of a strip; ``None`` if its sides are unknown."""
    return height // width if height and width else None


@keras.saving.register_keras_serializable("leukoscope")
class CutStrip(layers.Layer):
    """Split strips: ``[batch, cells * side, side, 3]`` to ``[batch * cells, side, side, 3]``."""

    def call(self, strips: Any) -> Any:
        """Split the strips."""
        return cut_strip(strips)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape."""
        return (None, input_shape[2], input_shape[2], 3)


@keras.saving.register_keras_serializable("leukoscope")
class FilledSlots(layers.Layer):
    """Find the slots of strips that hold a cell: ``[batch, cells * side, side, 3]`` to ``[batch, cells]`` of 1 and 0.

    A slot is free if its crop has a single colour. ``join_strip`` keeps this true after augmentation.
    """

    def call(self, strips: Any) -> Any:
        """Measure the contrast of each slot."""
        return ops.cast(find_filled(strips), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape."""
        return (input_shape[0], count_slots(input_shape[1], input_shape[2]))


@keras.saving.register_keras_serializable("leukoscope")
class Luminance(layers.Layer):
    """Remove the colour from images, ``[batch, height, width, 3]``, which keep three channels."""

    def call(self, images: Any) -> Any:
        """Replace each channel of a pixel by the weighted sum of its channels."""
        weights = np.tile(np.array(_LUMINANCE, "float32")[:, None], 3)
        return ops.matmul(images, ops.convert_to_tensor(weights, images.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape


@keras.saving.register_keras_serializable("leukoscope")
class CellPooling(layers.Layer):
    """Pool the vectors of a field's cells by their mean or by gated attention.

    Ilse et al. 2018, Attention-based deep multiple instance learning, equation 9: the weight of a cell is the softmax
    over the cells of ``w . (tanh(V h) * sigmoid(U h))``. Neither the order of the cells nor the number of free slots
    matters. ``w`` starts at zero, so training starts from the mean. A field without a cell pools to zeros.

    Args:
        pooling: ``attention`` or ``mean``.
        units: Units of the attention's hidden layer.
        seed: Seed of its kernels.
        options: Options of every layer.

    Input: vectors, ``[batch * cells, channels]`` or ``[batch, cells, channels]``, and which slots are filled,
    ``[batch, cells]`` of 1 and 0. Output: ``[batch, channels]``.
    """

    _least = 1e-9  # lower bound of a sum of shares, which is at least 1 if there is a cell

    def __init__(self, pooling: str = "attention", units: int = 128, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.pooling = pooling
        self.units = units
        self.seed = seed

    def build(self, vectors_shape: tuple[Any, ...], filled_shape: tuple[Any, ...]) -> None:
        """Create the kernels of the attention."""
        if self.pooling == "mean":
            return
        shape = (vectors_shape[-1], self.units)
        draws = [keras.initializers.GlorotUniform(None if self.seed is None else self.seed + n) for n in (1, 2)]
        self.content = self.add_weight(shape=shape, initializer=draws[0], name="content")
        self.gate = self.add_weight(shape=shape, initializer=draws[1], name="gate")
        self.scale = self.add_weight(shape=(self.units, 1), initializer="zeros", name="scale")

    def call(self, vectors: Any, filled: Any) -> Any:
        """Pool the vectors."""
        by_field = _group(vectors, filled)
        weights = ops.expand_dims(self.weigh(by_field, filled), -1)  # LiteRT has no indexing that adds an axis
        return ops.sum(weights * by_field, axis=1)

    def weigh(self, vectors: Any, filled: Any) -> Any:
        """Return the weights of each field's cells: ``[batch, cells]``, adding up to 1, or to 0 without cells."""
        if self.pooling == "mean":
            shares = filled
        else:
            by_field = _group(vectors, filled)
            hidden = ops.tanh(ops.matmul(by_field, self.content)) * ops.sigmoid(ops.matmul(by_field, self.gate))
            scores = ops.matmul(hidden, self.scale)[..., 0]
            # Subtract the highest score of each field, ignoring free slots.
            highest = ops.max(ops.where(filled > 0, scores, self._score_free(scores)), axis=1, keepdims=True)
            shares = filled * ops.exp(ops.where(filled > 0, scores - highest, 0.0))
        return shares / ops.maximum(ops.sum(shares, axis=1, keepdims=True), self._least)

    def _score_free(self, scores: Any) -> Any:
        """Return the score of free slots, which is at most any cell's."""
        return -1e9

    def compute_output_shape(
        self, vectors_shape: tuple[int | None, ...], filled_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the output shape."""
        return (filled_shape[0], vectors_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return super().get_config() | {"pooling": self.pooling, "units": self.units, "seed": self.seed}


@keras.saving.register_keras_serializable("leukoscope")
class BoundedCellPooling(CellPooling):
    """Cell pooling for exported files, without numbers that half precision or eight bits cannot hold.

    Training keeps to ``CellPooling``: differently rounded gradients would change the weights that a key yields.
    """

    _least = 1.0

    def _score_free(self, scores: Any) -> Any:
        return ops.min(scores, axis=1, keepdims=True)


class SlotVectors(layers.Layer):
    """Group the vectors of each field's slots, and append to each whether its slot is filled.

    Input: as for ``CellPooling``. Output: ``[batch, cells, channels + 1]``.
    """

    def call(self, vectors: Any, filled: Any) -> Any:
        """Join them."""
        return ops.concatenate([_group(vectors, filled), filled[..., None]], axis=-1)

    def compute_output_shape(
        self, vectors_shape: tuple[Any, ...], filled_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the output shape."""
        return (*filled_shape, vectors_shape[-1] + 1)


def _group(vectors: Any, filled: Any) -> Any:
    """Reshape vectors field by field, ``[batch, cells, channels]``."""
    batch, cells = ops.shape(filled)
    return ops.reshape(vectors, (batch, cells, vectors.shape[-1]))
