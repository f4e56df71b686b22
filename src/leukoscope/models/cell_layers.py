"""Layers of networks that read single cells, which come as strips: the crops of a field's cells, stacked downwards."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from leukoscope.cells.crops import NEUTRAL

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LEAST_CONTRAST = 1.0  # of 255, in any channel: a slot that has less is free


def cut_strip(strips: Any) -> Any:
    """Take strips apart.

    Args:
        strips: ``[batch, cells * side, side, 3]``.

    Returns:
        The crops, field by field, ``[batch * cells, side, side, 3]``.
    """
    side = strips.shape[2] or ops.shape(strips)[2]
    return ops.reshape(strips, (-1, side, side, 3))


def join_strip(crops: Any, strips: Any) -> Any:
    """Put crops that were changed together to strips again; slots that were free are painted grey again.

    Args:
        crops: ``[batch * cells, side, side, 3]``, of a known side, 0-255, float.
        strips: What they were cut from, at any side, of a known number of slots.
    """
    side = crops.shape[1]
    cells = strips.shape[1] // strips.shape[2]
    free = ops.reshape(find_filled(strips), (-1, 1, 1, 1)) < 0.5
    return ops.reshape(ops.where(free, float(NEUTRAL), crops), (-1, cells * side, side, 3))


def find_filled(strips: Any) -> Any:
    """Tell which slots have a cell, ``[batch, cells]`` of 1 and 0 in float32: those that are not of one colour.

    Args:
        strips: ``[batch, cells * side, side, 3]`` as they were cut out: noise would make a cell of a free slot.
    """
    height, width = (
        static or dynamic for static, dynamic in zip(strips.shape[1:3], ops.shape(strips)[1:3], strict=True)
    )
    crops = ops.reshape(ops.cast(strips, "float32"), (-1, height // width, width * width, 3))
    contrast = ops.max(crops, axis=2) - ops.min(crops, axis=2)
    return ops.cast(ops.max(contrast, axis=-1) >= _LEAST_CONTRAST, "float32")


def count_slots(height: int | None, width: int | None) -> int | None:
    """Count the crops of a strip; ``None`` where its sides are not known."""
    return height // width if height and width else None


@keras.saving.register_keras_serializable("leukoscope")
class CutStrip(layers.Layer):
    """Take strips apart: ``[batch, cells * side, side, 3]`` to ``[batch * cells, side, side, 3]``."""

    def call(self, strips: Any) -> Any:
        """Cut."""
        return cut_strip(strips)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give the shape of the output."""
        return (None, input_shape[2], input_shape[2], 3)


@keras.saving.register_keras_serializable("leukoscope")
class FilledSlots(layers.Layer):
    """Tell which slots of strips have a cell: ``[batch, cells * side, side, 3]`` to ``[batch, cells]`` of 1 and 0.

    A slot is free if its crop is of one colour. ``join_strip`` sees to it that it still is after augmentation.
    """

    def call(self, strips: Any) -> Any:
        """Look for contrast."""
        return ops.cast(find_filled(strips), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give the shape of the output."""
        return (input_shape[0], count_slots(input_shape[1], input_shape[2]))


@keras.saving.register_keras_serializable("leukoscope")
class Luminance(layers.Layer):
    """Take the colour out of images, ``[batch, height, width, 3]``, which keep three channels."""

    def call(self, images: Any) -> Any:
        """Give each pixel the weighted sum of its channels in all of them."""
        weights = np.tile(np.array(_LUMINANCE, "float32")[:, None], 3)
        return ops.matmul(images, ops.convert_to_tensor(weights, images.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give the shape of the output, which is that of the input."""
        return input_shape


@keras.saving.register_keras_serializable("leukoscope")
class CellPooling(layers.Layer):
    """Pool the vectors of a field's cells: their mean, or their sum by the weights of a gated attention.

    Ilse et al. 2018, Attention-based deep multiple instance learning, equation 9: the weight of a cell is the softmax
    over the cells of ``w . (tanh(V h) * sigmoid(U h))``. Neither the order of the cells nor the number of free slots
    matters. ``w`` starts at zero, so that training sets out from the mean. A field without a cell pools to zeros.

    Args:
        pooling: ``attention`` or ``mean``.
        units: Of the attention's hidden layer.
        seed: Of its kernels.
        options: Those of every layer.

    Input: vectors, ``[batch * cells, channels]`` or ``[batch, cells, channels]``, and which slots are filled,
    ``[batch, cells]`` of 1 and 0. Output: ``[batch, channels]``.
    """

    _least = 1e-9  # that a sum of shares counts as; where there is a cell, it is 1 or more

    def __init__(self, pooling: str = "attention", units: int = 128, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.pooling = pooling
        self.units = units
        self.seed = seed

    def build(self, vectors_shape: tuple[Any, ...], filled_shape: tuple[Any, ...]) -> None:
        """Make the kernels of the attention."""
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
        """Weigh the cells of each field: ``[batch, cells]``, adding up to 1, or to 0 where there is none."""
        if self.pooling == "mean":
            shares = filled
        else:
            by_field = _group(vectors, filled)
            hidden = ops.tanh(ops.matmul(by_field, self.content)) * ops.sigmoid(ops.matmul(by_field, self.gate))
            scores = ops.matmul(hidden, self.scale)[..., 0]
            # The highest of a field is taken off, and free slots are none of it.
            highest = ops.max(ops.where(filled > 0, scores, self._score_free(scores)), axis=1, keepdims=True)
            shares = filled * ops.exp(ops.where(filled > 0, scores - highest, 0.0))
        return shares / ops.maximum(ops.sum(shares, axis=1, keepdims=True), self._least)

    def _score_free(self, scores: Any) -> Any:
        """Give what free slots have for a score, no more than any cell."""
        return -1e9

    def compute_output_shape(
        self, vectors_shape: tuple[int | None, ...], filled_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Give the shape of the output."""
        return (filled_shape[0], vectors_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Give what makes such a layer again."""
        return super().get_config() | {"pooling": self.pooling, "units": self.units, "seed": self.seed}


@keras.saving.register_keras_serializable("leukoscope")
class BoundedCellPooling(CellPooling):
    """The same, without numbers that half precision or eight bits cannot hold beside the scores: for exported files.

    Training keeps to the other, since gradients that are rounded otherwise would make other weights of the same key.
    """

    _least = 1.0

    def _score_free(self, scores: Any) -> Any:
        return ops.min(scores, axis=1, keepdims=True)


class SlotVectors(layers.Layer):
    """Put the vectors of each field's slots together, and behind each whether its slot is filled.

    Input: as of ``CellPooling``. Output: ``[batch, cells, channels + 1]``.
    """

    def call(self, vectors: Any, filled: Any) -> Any:
        """Join them."""
        return ops.concatenate([_group(vectors, filled), filled[..., None]], axis=-1)

    def compute_output_shape(
        self, vectors_shape: tuple[Any, ...], filled_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Give the shape of the output."""
        return (*filled_shape, vectors_shape[-1] + 1)


def _group(vectors: Any, filled: Any) -> Any:
    """Give vectors field by field, ``[batch, cells, channels]``."""
    batch, cells = ops.shape(filled)
    return ops.reshape(vectors, (batch, cells, vectors.shape[-1]))
