"""The texture of a part of a field, from the co-occurrence of grey levels."""

import numpy as np

TEXTURE = (
    "angular_second_moment",
    "contrast",
    "correlation",
    "variance",
    "inverse_difference_moment",
    "sum_average",
    "sum_variance",
    "sum_entropy",
    "entropy",
    "difference_variance",
    "difference_entropy",
    "information_1",
    "information_2",
)
# 256 values to 32 levels.
_LEVELS = 32
_SHIFT = 3
_DIRECTIONS = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_TINY = 1e-12


def measure_texture(grey: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Measure the texture of a mask's pixels: Haralick's features, averaged over four directions.

    Args:
        grey: ``uint8 [height, width]``.
        mask: Which pixels count, boolean of the same shape.

    Returns:
        In the order of ``TEXTURE``; levels are eighths of 256.
    """
    from skimage.feature import graycomatrix

    levels = np.where(mask, (grey >> _SHIFT) + 1, 0).astype(np.uint8)
    counts = graycomatrix(levels, [1], _DIRECTIONS, levels=_LEVELS + 1, symmetric=True)
    inside = counts[1:, 1:, 0].astype(float)  # level 0 marks pixels that do not count
    return describe_neighbours(np.moveaxis(inside, 2, 0)).mean(axis=0)


def describe_neighbours(counts: np.ndarray) -> np.ndarray:
    """Compute Haralick's features of co-occurrences (Haralick, Shanmugam and Dinstein 1973, Textural features).

    Logarithms are natural; 0 times its logarithm is 0. The sum variance is taken about the sum average; the difference
    variance is the variance of the differences themselves.

    Args:
        counts: How often level ``i`` is next to level ``j``, symmetric, ``[directions, levels, levels]``.

    Returns:
        ``[directions, features]``, in the order of ``TEXTURE``.
    """
    p = counts / np.maximum(counts.sum(axis=(1, 2), keepdims=True), 1)
    levels = np.arange(p.shape[1])
    apart = levels[:, None] - levels
    sums = _gather(p, levels[:, None] + levels)
    differences = _gather(p, np.abs(apart))
    margin = p.sum(axis=2)
    mean = margin @ levels
    variance = margin @ levels**2 - mean**2
    product = p @ levels @ levels - mean**2
    # For a single level the correlation is undefined; a surface without texture is the same everywhere: 1.
    flat = variance < _TINY
    correlation = np.where(flat, 1.0, product / np.where(flat, 1.0, variance))
    first = [(p**2).sum(axis=(1, 2)), differences @ np.arange(differences.shape[1]) ** 2, correlation, variance]
    first += [(p / (1 + apart**2)).sum(axis=(1, 2)), sums @ np.arange(sums.shape[1])]
    entropy = _measure_entropy(p.reshape(len(p), -1))
    second = [_measure_variance(sums), _measure_entropy(sums), entropy]
    second += [_measure_variance(differences), _measure_entropy(differences), *_measure_information(p, margin, entropy)]
    return np.stack([*first, *second], axis=1)


def _gather(p: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Sum the shares with equal bin numbers, ``[directions, numbers]``."""
    return np.stack([np.bincount(bins.ravel(), shares.ravel()) for shares in p])


def _measure_variance(shares: np.ndarray) -> np.ndarray:
    values = np.arange(shares.shape[1])
    return shares @ values**2 - (shares @ values) ** 2


def _measure_entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.maximum(shares, _TINY))).sum(axis=1)


def _measure_information(p: np.ndarray, margin: np.ndarray, entropy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the two information measures of correlation: 0 if neighbours are independent."""
    alone = _measure_entropy(margin)
    # The entropies of independent neighbours, and of the actual pairs as if independent: both are twice that of one.
    independent = 2 * alone
    first = np.where(alone > _TINY, (entropy - independent) / np.maximum(alone, _TINY), 0.0)
    return first, np.sqrt(np.maximum(0, 1 - np.exp(-2 * (independent - entropy))))
