"""Keras batches from the packed array."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
# Changes a batch of images, labels and weights, drawing from the given generator.
Change = Callable[[np.random.Generator, np.ndarray, np.ndarray, np.ndarray], Batch]


def _choose_workers(array: np.ndarray) -> int:
    """Choose how many threads prefetch batches.

    With one, Keras leaves prefetching to tf.data, whose iterator may wait for a second or two at the start of an epoch
    of images. With two, Keras waits 0.1 s at the end of each pass, which is long for a head on features; and under JAX
    and torch it would carry batches over from one epoch to the next.
    """
    return 2 if array.ndim == 4 and keras.backend.backend() == "tensorflow" else 1


class TrainingBatches(keras.utils.PyDataset):
    """Shuffled batches of images with their labels and weights, reshuffled by ``go_to`` for each epoch.

    Args:
        array: All images, ``uint8 [n, height, width, 3]``, or what represents them: features or index numbers.
        rows: The rows of an epoch; a row to be seen twice is listed twice.
        classes: The class number of each row.
        weights: The weight of each row in the loss.
        n_classes: Length of the one-hot labels.
        batch_size: Images in a batch; the last of an epoch may have fewer.
        seed: The order of epoch ``e`` depends on this and on ``e`` alone.
        whole: Drop an incomplete last batch; the dropped images differ from epoch to epoch.

    Attributes:
        changes: Functions applied to each batch in turn, with a generator seeded per batch; empty by default.
        labels: One-hot label of each row of an epoch; more columns may be appended.

    A batch is ``(array's rows, float32 [batch, n_classes], float32 [batch])``.
    """

    def __init__(
        self,
        array: np.ndarray,
        rows: np.ndarray,
        classes: np.ndarray,
        weights: np.ndarray,
        *,
        n_classes: int,
        batch_size: int,
        seed: int,
        whole: bool = False,
    ) -> None:
        super().__init__(workers=_choose_workers(array))
        self.whole = whole
        self.changes: list[Change] = []
        self.array = array
        self.rows = rows
        self.weights = weights.astype("float32")
        self.labels = np.eye(n_classes, dtype="float32")[classes]
        self.batch_size = batch_size
        self.seed = seed
        self.go_to(0)

    def __len__(self) -> int:
        batches = len(self.rows) / self.batch_size
        return math.floor(batches) if self.whole else math.ceil(batches)

    def __getitem__(self, index: int) -> Batch:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        batch: Batch = self._take(chosen), self.labels[chosen], self.weights[chosen]
        generator = np.random.default_rng([self.seed, self.epoch, 1 + index])
        for change in self.changes:
            batch = change(generator, *batch)
        return batch

    def go_to(self, epoch: int) -> None:
        """Draw the order of an epoch (the first is 0). Call it before the epoch begins, since workers prefetch."""
        self.epoch = epoch
        self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.rows))

    def _take(self, chosen: np.ndarray) -> np.ndarray:
        return self.array[self.rows[chosen]]


class ViewBatches(TrainingBatches):
    """``TrainingBatches`` for features of several views of each image; each epoch uses one view per image.

    Args:
        array: ``float32 [images, views, channels]``.
        classes: The class number of each image.
        weights: The weight of each image in the loss.
        seed: The order and the views of epoch ``e`` depend on this and on ``e`` alone.
        options: The remaining arguments of ``TrainingBatches``.
    """

    def __init__(
        self, array: np.ndarray, classes: np.ndarray, weights: np.ndarray, *, seed: int, **options: Any
    ) -> None:
        self.first = np.random.default_rng(seed).integers(array.shape[1], size=len(classes))
        rows = np.arange(len(classes))
        super().__init__(array, rows, classes, weights, seed=seed, **options)

    def _take(self, chosen: np.ndarray) -> np.ndarray:
        return self.array[chosen, (self.first[chosen] + self.epoch) % self.array.shape[1]]


class ImageBatches(keras.utils.PyDataset):
    """Batches of images in order, without labels, or with one-hot labels for validation.

    Args:
        array: As in ``TrainingBatches``.
        rows: The rows to return, in order.
        labels: One-hot labels of these rows, ``float32 [rows, n_classes]``, or none.
        batch_size: Images in a batch.
        whole: Pad the last batch with images of weight zero; labelled batches then have weights too.
    """

    def __init__(
        self,
        array: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        batch_size: int,
        whole: bool = False,
    ) -> None:
        super().__init__(workers=_choose_workers(array))
        self.array = array
        self.rows = rows
        self.labels = labels
        self.batch_size = batch_size
        self.weights = None
        if whole and labels is not None:
            fill = -len(rows) % batch_size
            self.rows = np.append(rows, rows[:1].repeat(fill))
            self.labels = np.concatenate([labels, labels[:1].repeat(fill, axis=0)])
            # Keras divides by the number of images including padding, so scale the real images' weights to compensate.
            self.weights = np.repeat([len(self.rows) / len(rows), 0], [len(rows), fill]).astype("float32")

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        images = self.array[self.rows[part]]
        return (images, *(column[part] for column in (self.labels, self.weights) if column is not None))
