"""Evaluate generated images: similarity, memorisation, and their value for training a classifier. NumPy only."""

from typing import NamedTuple

import numpy as np

_BLOCKS = 10
_QUANTILE = 0.05
_AT_A_TIME = 256


class Discrepancy(NamedTuple):
    """A squared distance between two distributions, estimated from samples.

    Attributes:
        value: Zero on average if the distributions are the same; it may be negative.
        error: Its standard error, from disjoint subsets; NaN if there are too few images for two subsets.
    """

    value: float
    error: float


def measure_kid(ours: np.ndarray, others: np.ndarray, blocks: int = _BLOCKS, seed: int = 0) -> Discrepancy:
    """Measure the kernel inception distance (Binkowski et al. 2018): the unbiased squared MMD of a cubic kernel.

    The value uses all images at once. Its standard error is that of the mean over disjoint subsets, which is never much
    smaller, and up to the square root of their number larger if the distributions are the same.

    Args:
        ours: Features of the first images, ``float [n, channels]``, two or more.
        others: Features of the other images, likewise.
        blocks: Number of disjoint subsets; fewer if a subset would have fewer than two images of either sample.
        seed: Seed for assigning images to subsets.
    """
    generator = np.random.default_rng(seed)
    blocks = min(blocks, len(ours) // 2, len(others) // 2)
    # The error comes from disjoint blocks: estimates from all pairs of one sample are not independent.
    parts = [np.array_split(values[generator.permutation(len(values))], max(blocks, 1)) for values in (ours, others)]
    values = [_estimate_mmd(generated_part, real_part) for generated_part, real_part in zip(*parts, strict=True)]
    error = float(np.std(values, ddof=1) / np.sqrt(blocks)) if blocks > 1 else float("nan")
    return Discrepancy(_estimate_mmd(ours, others), error)


def _estimate_mmd(ours: np.ndarray, others: np.ndarray) -> float:
    """Estimate the squared MMD without bias: no image is compared with itself."""
    within = [_mean_between_different(values) for values in (ours, others)]
    return sum(within) - 2 * float(_compare(ours, others).mean())


def _mean_between_different(values: np.ndarray) -> float:
    kernel = _compare(values, values)
    return float((kernel.sum() - np.trace(kernel)) / (len(values) * (len(values) - 1)))


def _compare(ours: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (ours.astype(float) @ others.astype(float).T / ours.shape[1] + 1) ** 3


def average(parts: list[Discrepancy]) -> Discrepancy:
    """Average the discrepancies of several classes, which are independent of each other."""
    errors = np.array([part.error for part in parts])
    return Discrepancy(float(np.mean([part.value for part in parts])), float(np.sqrt((errors**2).sum()) / len(parts)))


def find_nearest(images: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Compute the Euclidean distance from each image to its nearest training image, ``float [n]``.

    Args:
        images: Pixels or features, ``[n, ...]``.
        training: Pixels or features of the training images, ``[m, ...]``.
    """
    flat = training.reshape(len(training), -1).astype("float32")
    squares = np.einsum("ij,ij->i", flat, flat)
    distances = []
    for start in range(0, len(images), _AT_A_TIME):
        part = images[start : start + _AT_A_TIME].reshape(-1, flat.shape[1]).astype("float32")
        # |a - b|^2 minus |a|^2, which is the same for all b: one product finds the nearest.
        nearest = (squares - 2 * part @ flat.T).argmin(axis=1)
        distances.append(np.linalg.norm(part - flat[nearest], axis=1))  # exact even if almost 0
    return np.concatenate(distances)


def measure_memorisation(generated: np.ndarray, held_out: np.ndarray) -> float:
    """Compute the share of generated images that are nearer to a training image than 95 % of held-out images are.

    About 0.05 for a generator whose images are like unseen ones; 1 for a generator that copies.

    Args:
        generated: The distance of each generated image to its nearest training image.
        held_out: The same distance for held-out images, which trained neither.
    """
    return float((generated < np.quantile(held_out, _QUANTILE)).mean())


def judge_by_classifier(
    features: np.ndarray, classes: np.ndarray, held_out: np.ndarray, held_out_classes: np.ndarray
) -> float:
    """Train logistic regression on the features of some images; return its balanced accuracy on held-out real images.

    Args:
        features: Features of the images to learn from, ``float [n, channels]``.
        classes: Classes of these images, ``int [n]``.
        held_out: Features of the real images.
        held_out_classes: Classes of the real images.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    classifier.fit(features, classes)
    return float(balanced_accuracy_score(held_out_classes, classifier.predict(held_out)))
