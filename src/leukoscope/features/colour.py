"""The colours of a whole field, wherever they occur in it, and of a part of it."""

import numpy as np

# The nucleus colours of the data set's authors: hues in degrees, and minimum saturation and value of 255.
NUCLEUS_HUES = (242, 264)
LEAST_COLOUR = 50
STEPS = 32
_SHIFT = 3  # 256 values to 32 steps
_CHANNELS = ("red", "green", "blue", "hue", "saturation", "value")
_MOMENTS = ("mean", "deviation", "skewness", "kurtosis")
MOMENTS = tuple(f"{channel}_{moment}" for channel in _CHANNELS for moment in _MOMENTS)
_FLAT = 1e-6  # standard deviation below which a channel has no third and fourth moment


def count_colours(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Count how often each step of red, green and blue occurs.

    Args:
        pixels: All images, ``uint8 [n, height, width, 3]``.
        rows: The rows of the images to count.

    Returns:
        Shares of the pixels, ``float64 [rows, 96]``: 32 steps of red, then green, then blue.
    """
    counts = np.array([_count(pixels[row].reshape(-1, 3)) for row in rows]).reshape(-1, 3 * STEPS)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True) / 3, 1)


def _count(colours: np.ndarray) -> np.ndarray:
    channels = np.array([0, STEPS, 2 * STEPS])
    return np.bincount(((colours >> _SHIFT) + channels).ravel(), minlength=3 * STEPS)


def measure_hue_band(image: np.ndarray) -> float:
    """Measure the share of pixels with a hue of 242 to 264 degrees, and saturation and value of 50 of 255 or more.

    Ghaderzadeh et al. 2022 segmented these fields this way: OpenCV's hues 168 to 182 of images with red and blue
    swapped, which mirrors hue at 240 degrees. In that band blue is the largest channel and green the smallest, and
    the hue is 240 + 60 (red - green) / (blue - green).

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
    """
    red, green, blue = np.moveaxis(image.astype(int), -1, 0)
    chroma = blue - green
    beyond = 60 * (red - green)
    lowest, highest = NUCLEUS_HUES
    # Hue is 240 + 60 (red - green) / (blue - green) where blue is largest and green least; no division by zero.
    hue = (blue >= red) & (beyond >= (lowest - 240) * chroma) & (beyond <= (highest - 240) * chroma)
    return float((hue & (255 * chroma >= LEAST_COLOUR * blue) & (blue >= LEAST_COLOUR)).mean())


def cluster_appearance(colours: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """Cluster fields by appearance: k-means on square roots of colour counts, whose distances are Hellinger's.

    Stain and background account for most of a field's colours, so fields of one cluster share stain and background;
    the number of cells contributes too. With many clusters, one stain batch is split into several.

    Args:
        colours: Colour counts from ``count_colours``.
        clusters: Number of clusters.
        seed: Seed of the initial centres; the same seed gives the same clusters.

    Returns:
        The cluster number of each image, ``int [n]``.
    """
    from sklearn.cluster import KMeans

    return KMeans(clusters, n_init=4, random_state=seed).fit_predict(np.sqrt(colours))


def measure_colours(colours: np.ndarray) -> np.ndarray:
    """Measure the colours of some pixels: four moments of each RGB and HSV channel.

    Args:
        colours: ``uint8 [pixels, 3]``, RGB.

    Returns:
        In the order of ``MOMENTS``: red, green and blue in 0-255, hue in degrees, saturation and value in 0-1; kurtosis
        is 0 for a normal distribution. The mean hue is circular, and its other moments use angles relative to it.
    """
    from skimage.color import rgb2hsv

    hue, saturation, value = rgb2hsv(colours[None])[0].T
    # Hues are angles: their mean is that of unit vectors, and deviations are the shorter angles to it.
    turn = np.exp(2j * np.pi * hue).mean()
    middle = np.degrees(np.angle(turn)) % 360
    away = (360 * hue - middle + 180) % 360 - 180
    channels = np.stack([*colours.T.astype(float), middle + away, saturation, value])
    mean = channels.mean(axis=1)
    deviation = channels.std(axis=1)
    scaled = (channels - mean[:, None]) / np.maximum(deviation, _FLAT)[:, None]
    flat = deviation < _FLAT
    squares = scaled * scaled
    skewness = np.where(flat, 0.0, (squares * scaled).mean(axis=1))
    kurtosis = np.where(flat, 0.0, (squares * squares).mean(axis=1) - 3)
    mean[_CHANNELS.index("hue")] = middle
    return np.stack([mean, deviation, skewness, kurtosis], axis=1).ravel()
