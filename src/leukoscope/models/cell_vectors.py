"""Cell vectors from an encoder, each computed only once across all trainings and predictions."""

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from leukoscope.backend.precision import describe_engine
from leukoscope.core.cache import ContentCache, identify_content
from leukoscope.models.cell_batches import plan_batches
from leukoscope.models.cell_layers import find_filled
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.parts import Parts

logger = logging.getLogger(__name__)

_FILE = "cell_vectors.db"
# Raise by hand when the same encoder would make other vectors of the same crops.
VECTORS_FORMAT = 1
_CROPS = 64  # in a batch; every batch is full, so a vector does not depend on its neighbours
_AT_ONCE = 4096  # crops between two look-ups in the file
# Configuration entries of a layer that only affect training.
_OF_TRAINING = {"trainable", "momentum"}


class CellVectors:
    """Computes vectors of crops, or looks up cached ones.

    Args:
        parts: Parts of a network that reads cells.
        known: Cache of the cells found before. A file beside it caches vectors by the pixels of the crop and by
            everything that defines the encoder. None: nothing is cached.
    """

    def __init__(self, parts: Parts, known: ContentCache | None = None) -> None:
        self._encoder = parts.cell_vectors
        self._pooling = parts.pooling
        self._known = known.beside(_FILE) if known else None

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of backend, versions, layers and weights, without layer names, which come from a counter."""
        names = {operation.name: str(number) for number, operation in enumerate(self._encoder.operations)}
        layers = _rename(self._encoder.get_config()["layers"], names)
        facts = [VECTORS_FORMAT, describe_engine("float32"), layers]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
        for weights in self._encoder.get_weights():
            digest.update(np.ascontiguousarray(weights).data)
        return digest.hexdigest()[:16]

    @cached_property
    def _folded(self) -> keras.Model:
        return fold_batch_norms(self._encoder)

    def encode(self, crops: np.ndarray, keep: bool = True) -> np.ndarray:
        """Compute a vector for each crop, ``float32 [crops, channels]``.

        Args:
            crops: ``uint8 [crops, side, side, 3]``, RGB.
            keep: Whether to cache new vectors.
        """
        parts = [self._encode(crops[start : start + _AT_ONCE], keep) for start in range(0, len(crops), _AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, self._channels), "float32")

    def pool_strips(self, strips: np.ndarray) -> np.ndarray:
        """Compute the input of a network's head for strips, ``float32 [strips, channels]``.

        Attention is part of the head; its input is the vectors and whether each slot is filled, as defined in
        ``Parts.frozen``.

        Args:
            strips: ``uint8 [strips, slots * side, side, 3]``.
        """
        filled = keras.ops.convert_to_numpy(find_filled(strips))
        side = strips.shape[2]
        crops = strips.reshape(*filled.shape, side, side, 3)
        vectors = np.zeros((*filled.shape, self._channels), "float32")
        vectors[filled > 0] = self.encode(crops[filled > 0])
        if self._pooling is not None and self._pooling.weights:
            return np.concatenate([vectors, filled[..., None]], axis=-1)
        return self._pool(vectors, filled)

    def pool_bags(self, bags: Sequence[np.ndarray]) -> np.ndarray:
        """Pool the vectors of all cells of each field, ``float32 [fields, channels]``.

        Args:
            bags: The crops of each field, ``uint8 [cells * side, side, 3]``, as ``Cutting.stack`` returns them; at
                least one.
        """
        side = bags[0].shape[1]
        crops = [bag.reshape(-1, side, side, 3) for bag in bags]
        counts = [len(some) for some in crops]
        vectors = np.split(self.encode(np.concatenate(crops)), np.cumsum(counts)[:-1])
        pooled = np.empty((len(bags), self._channels), "float32")
        # A single field with many cells would pad all others to as many.
        for batch in plan_batches(counts, _AT_ONCE):
            padded = np.zeros((batch.rows, batch.slots, self._channels), "float32")
            filled = np.zeros((batch.rows, batch.slots), "float32")
            for row, number in enumerate(batch.fields):
                padded[row, : counts[number]], filled[row, : counts[number]] = vectors[number], 1
            pooled[batch.fields] = self._pool(padded, filled)[: len(batch.fields)]
        return pooled

    def _pool(self, vectors: np.ndarray, filled: np.ndarray) -> np.ndarray:
        assert self._pooling is not None  # every network that reads cells has one
        return keras.ops.convert_to_numpy(self._pooling(*map(keras.ops.convert_to_tensor, (vectors, filled))))

    @property
    def _channels(self) -> int:
        return int(self._encoder.outputs[0].shape[-1])

    def _encode(self, crops: np.ndarray, keep: bool) -> np.ndarray:
        if self._known is None:
            return self._compute(crops)
        keys = [identify_content(crop, self.fingerprint) for crop in crops]
        size = self._channels * np.dtype("float32").itemsize
        contents = {key: content for key, content in self._known.find(keys).items() if _is_whole(content, size)}
        missing = {key: number for number, key in enumerate(keys) if key not in contents}
        if missing:
            vectors = self._compute(crops[list(missing.values())])
            made = {key: vector.tobytes() for key, vector in zip(missing, vectors, strict=True)}
            contents |= made
            if keep:
                self._known.keep(made)
        return np.stack([np.frombuffer(contents[key], "float32") for key in keys])

    def _compute(self, crops: np.ndarray) -> np.ndarray:
        """Encode crops, each as a strip of one cell; copies of the last crop fill the last batch."""
        rows = np.minimum(np.arange(math.ceil(len(crops) / _CROPS) * _CROPS), len(crops) - 1)
        parts = [self._folded.predict_on_batch(crops[part])[0] for part in rows.reshape(-1, _CROPS)]
        return np.concatenate(parts)[: len(crops)].astype("float32")


def _is_whole(content: Any, size: int) -> bool:
    return isinstance(content, bytes) and len(content) == size


def _rename(value: Any, names: dict[str, str]) -> Any:
    """Replace the names of operations by their positions throughout a configuration."""
    if isinstance(value, dict):
        return {key: _rename(inner, names) for key, inner in value.items() if key not in _OF_TRAINING}
    if isinstance(value, list | tuple):
        return [_rename(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value
