"""What a field looks like as a whole: its colours, wherever in it they are."""

import numpy as np

# What the data set's authors take for nuclei: hues in degrees, and the least saturation and value of 255.
NUCLEUS_HUES = (242, 264)
LEAST_COLOUR = 50
STEPS = 32
_SHIFT = 3  # 256 values to 32 steps


def count_colours(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Count how often each step of red, green and blue occurs.

    Args:
        pixels: All images, ``uint8 [n, height, width, 3]``.
        rows: Those that are meant.

    Returns:
        Shares of the pixels, ``float64 [rows, 96]``: 32 steps of red, then green, then blue.
    """
    counts = np.array([_count(pixels[row].reshape(-1, 3)) for row in rows]).reshape(-1, 3 * STEPS)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True) / 3, 1)


def _count(colours: np.ndarray) -> np.ndarray:
    channels = np.array([0, STEPS, 2 * STEPS])
    return np.bincount(((colours >> _SHIFT) + channels).ravel(), minlength=3 * STEPS)


def cluster_looks(colours: np.ndarray, looks: int, seed: int) -> np.ndarray:
    """Number the looks: k-means on the square roots of colour counts, in which distances are Hellinger's.

    Stain and background make most of a field's colours, so that fields of one look are of one stain and background; how
    many cells there are has its part too. With many looks, one stain batch is cut into several.

    Args:
        colours: As ``count_colours`` gives them.
        looks: How many there are to be.
        seed: For the first centres; the same seed gives the same looks.

    Returns:
        The number of each image's look, ``int [n]``.
    """
    from sklearn.cluster import KMeans

    return KMeans(looks, n_init=4, random_state=seed).fit_predict(np.sqrt(colours))
