"""Substitution of generated images for some of a batch's real ones."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leukoscope.images.generated import GeneratedImages, resize_square


@dataclass(frozen=True)
class Substitution:
    """Replaces some of a batch's real images by generated images of the same classes.

    Labels, weights and the number of steps stay the same, so that trainings with and without it see as many images of
    each class, with the same weights in the loss.

    Args:
        images: The generated images.
        share: Average share of a batch: of a batch of 10, 0.25 replaces 2 images half of the time and 3 otherwise.
    """

    images: GeneratedImages
    share: float

    def __call__(
        self, generator: np.random.Generator, images: np.ndarray, labels: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Replace some images of a batch.

        Args:
            generator: Generator of all draws.
            images: ``uint8 [batch, side, side, 3]``.
            labels: One-hot, ``float32 [batch, classes]``.
            weights: ``float32 [batch]``.

        Returns:
            The images with some replaced, and the unchanged labels and weights.
        """
        number = int(self.share * len(images) + generator.random())
        replaced = images.copy()
        for place in generator.permutation(len(images))[:number]:
            candidates = self._rows_by_class[int(labels[place].argmax())]
            row = candidates[generator.integers(len(candidates))]
            replaced[place] = resize_square(self.images.pixels[row], images.shape[1])
        return replaced, labels, weights

    @cached_property
    def _rows_by_class(self) -> list[np.ndarray]:
        return [np.flatnonzero(self.images.classes == number) for number in range(len(self.images.class_names))]
