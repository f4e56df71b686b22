"""Mixing of images, and their labels, with others of their batch."""

from dataclasses import dataclass

import numpy as np

_Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Mixing:
    """Mixes each image of a batch with another one.

    Mixup adds up the pixels of two images (Zhang et al. 2018, mixup: beyond empirical risk minimization). CutMix pastes
    a rectangle of one into the other (Yun et al. 2019, CutMix: regularization strategy to train strong classifiers).
    The losses of both images are added up by the same shares, each with its weight. If both are enabled, each batch
    uses either with equal probability.

    Args:
        mixup: Alpha of the beta distribution from which an image's share is drawn; 0: no mixup.
        cutmix: Alpha of the beta distribution for CutMix; 0: no CutMix.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    def __call__(
        self, generator: np.random.Generator, images: np.ndarray, labels: np.ndarray, weights: np.ndarray
    ) -> _Batch:
        """Mix a batch.

        Args:
            generator: Generator of all draws.
            images: ``uint8 [batch, height, width, 3]``.
            labels: ``float32 [batch, classes]``, or more columns: a teacher's probabilities follow the classes.
            weights: ``float32 [batch]``, above 0.

        Returns:
            The images, labels and weights, mixed.
        """
        partners = generator.permutation(len(images))
        pastes = generator.random() < 0.5 if self.mixup and self.cutmix else bool(self.cutmix)
        alpha = self.cutmix if pastes else self.mixup
        shares = generator.beta(alpha, alpha, len(images)).astype("float32")
        if pastes:
            mixed, shares = _paste(generator, images, partners, shares)
        else:
            mixed = np.rint(_add(images, partners, shares)).astype("uint8")
        # The loss is a weight times the cross-entropy of a label: each image's weight goes with its own label.
        weighted = _add(labels * weights[:, None], partners, shares)
        mixed_weights = _add(weights, partners, shares)
        return mixed, weighted / mixed_weights[:, None], mixed_weights


def _add(values: np.ndarray, partners: np.ndarray, shares: np.ndarray) -> np.ndarray:
    shares = shares.reshape(-1, *[1] * (values.ndim - 1))
    return shares * values + (1 - shares) * values[partners]


def _paste(
    generator: np.random.Generator, images: np.ndarray, partners: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a rectangle of each partner into its image, and return the remaining shares of the images.

    A rectangle has the image's aspect ratio, ``1 - share`` of its area, and a random centre; the image clips it.
    """
    mixed = images.copy()
    left = np.empty_like(shares)
    size = np.array(images.shape[1:3])
    for number, share in enumerate(shares):
        half = size * np.sqrt(1 - share) / 2
        centre = generator.uniform(0, size)
        top, start = np.rint(np.clip(centre - half, 0, size)).astype(int)
        bottom, stop = np.rint(np.clip(centre + half, 0, size)).astype(int)
        mixed[number, top:bottom, start:stop] = images[partners[number], top:bottom, start:stop]
        left[number] = 1 - (bottom - top) * (stop - start) / size.prod()
    return mixed, left
