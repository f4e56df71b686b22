"""Features of images from a frozen base, computed once and kept: then only the head is left to train."""

import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_read_from_json, write_array_header, write_json
from leukoscope.images.batches import ImageBatches
from leukoscope.models.cell_vectors import CellVectors
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.parts import Parts
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.stain_copies import StainCopy

logger = logging.getLogger(__name__)

_KEY = "key.json"
_TRAINING = "training.npy"
_VALIDATION = "validation.npy"


@dataclass(frozen=True)
class Features:
    """The features of a training's images.

    Attributes:
        training: Features of several augmented views per image: ``float32 [images, views, channels]``, or, for cells
            still to be weighed, ``[images, views, cells, channels + 1]``, as ``Parts.frozen`` returns them.
        validation: Features of the unaugmented images, in the same shape without views.
    """

    training: np.ndarray
    validation: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the features kept in a folder, memory-mapped."""
        return cls(*(np.load(folder / name, mmap_mode="r") for name in (_TRAINING, _VALIDATION)))


def keep_features(
    folder: Path,
    key: dict[str, Any],
    network: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    augment: keras.layers.Layer,
    views: int,
    batch_size: int,
) -> Features:
    """Load the features from a folder, or compute them with the trunk of a network.

    Args:
        folder: Where they are kept; features there with another key are removed.
        key: Everything that determines them.
        network: A classifier's network, frozen up to its head.
        training: The images of an epoch.
        validation: The validation images.
        augment: The augmentation drawn for each view.
        views: Number of augmented views per training image.
        batch_size: Images at a time.
    """
    key = as_read_from_json(key)
    kept = _open(folder, key)
    if kept is not None:
        return kept
    started = time.perf_counter()
    parts = Parts(network)
    extractor = fold_batch_norms(parts.frozen)
    view = _View(parts, augment, extractor)
    height, width = training.pixels.shape[1:3]
    shape = tuple(height // width if size is None else size for size in extractor.output.shape[1:])  # a strip's slots

    def extract_views(images: np.ndarray) -> np.ndarray:
        return np.stack([view.predict_on_batch(images) for _ in range(views)], axis=1)

    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write(folder / _TRAINING, training, extract_views, (views, *shape), batch_size)
        _write(folder / _VALIDATION, validation, extractor.predict_on_batch, shape, batch_size)
        write_json(folder / _KEY, key)  # last: a folder without a key is ignored
    except OSError as error:
        raise InputError(f"The features could not be kept in {folder}: {error}. Make room there.") from error
    logger.info("Kept the frozen base's features of %d views, %.1f s", views, time.perf_counter() - started)
    return Features.open(folder)


def see_features(
    network: keras.Model,
    images: LabelledImages,
    batch_size: int,
    known: ContentCache | None = None,
    copy: StainCopy | None = None,
) -> np.ndarray:
    """Compute a frozen base's features of unaugmented images, ``float32 [images, ...]``, as in ``Parts.frozen``.

    Args:
        network: A classifier's network, frozen up to its head.
        images: The images; each is computed once, however often it occurs.
        batch_size: Images at a time.
        known: Cache of the cells found before, beside which an encoder's cell vectors are cached.
        copy: A stain copy to use in place of each image.
    """
    rows, places = np.unique(images.rows, return_inverse=True)
    parts = Parts(network)
    see = (
        CellVectors(parts, known).pool_strips if parts.reads_cells else fold_batch_norms(parts.frozen).predict_on_batch
    )
    batches = ImageBatches(images.pixels, rows, batch_size=batch_size)
    seen = [see(copy.change(batch) if copy else batch) for (batch,) in batches]
    return np.concatenate(seen).astype("float32")[places]


def _open(folder: Path, key: dict[str, Any]) -> Features | None:
    try:
        return Features.open(folder) if json.loads((folder / _KEY).read_text()) == key else None
    except (OSError, ValueError):
        return None


class _View(keras.Model):
    """Computes the features of a new view of each image at each call."""

    def __init__(self, parts: Parts, augment: keras.layers.Layer, extractor: keras.Model) -> None:
        super().__init__(name="view")
        self.parts = parts
        self.resize = keras.layers.Resizing(parts.resized_side, parts.resized_side, dtype="float32")
        self.augment = augment
        self.extractor = extractor

    def call(self, images: Any) -> Any:
        # Keras keeps the `training` flag for nested calls, so set it explicitly.
        changed = self.augment(self.resize(self.parts.cut(images)), training=True)
        return self.extractor(self.parts.join(changed, images), training=False)


def _write(
    file: Path,
    images: LabelledImages,
    extract: Callable[[np.ndarray], np.ndarray],
    shape: tuple[int, ...],
    batch_size: int,
) -> None:
    """Write the features batch by batch, so that memory does not grow with the number of images.

    All batches are full, so that the extractor is compiled once; the last is padded with copies of the first image.
    """
    left = len(images.rows)
    rows = np.append(images.rows, images.rows[:1].repeat(-left % batch_size))
    batches = ImageBatches(images.pixels, rows, batch_size=batch_size)
    with file.open("wb") as content:
        write_array_header(content, "<f4", (left, *shape))
        for number in range(len(batches)):
            part = extract(batches[number][0])[:left]
            content.write(part.astype("<f4").tobytes())
            left -= len(part)
