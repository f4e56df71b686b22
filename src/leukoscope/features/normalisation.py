"""Stain normalisation: match an image's colours to those of others, whatever its stain, camera and lamp.

Reinhard, Ashikhmin, Gooch and Shirley 2001, Color transfer between images: pixels are converted to the space
l-alpha-beta of Ruderman, Cronin and Chiao 1998, whose channels hardly correlate in natural images; there each channel
is given the mean and the standard deviation of a target.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# RGB in 0-1 to the responses of the eye's long, middle and short cones, and their logarithms to l, alpha and beta.
TO_CONES = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
TO_OPPONENTS = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1.0, 1, 1], [1, 1, -2], [1, -1, 0]])
CHANNELS = ("l", "alpha", "beta")
# The darkest value with a logarithm, since black has none: one step of 255.
DARKEST = 1.0
# A channel that varies less, in decades, has no contrast to scale: an empty field, or a single colour.
FLAT = 5e-4
# Limit of the factor on a channel's contrast, up or down: beyond it, noise of a pale field would pass for stain.
MOST_GAIN = 3.0


class StainTarget(NamedTuple):
    """The colour statistics to which images are normalised.

    Attributes:
        mean: Means of l, alpha and beta, in decades.
        deviation: Standard deviations of l, alpha and beta, in decades.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def describe(self) -> dict[str, float]:
        """Return each number with its name."""
        parts = self._asdict().items()
        return {f"{part} of {name}": value for part, of in parts for name, value in zip(CHANNELS, of, strict=True)}


def to_opponents(image: np.ndarray) -> np.ndarray:
    """Convert pixels to l-alpha-beta: RGB in 0-255 to decades, ``float64 [..., 3]``."""
    light = np.maximum(np.asarray(image, float), DARKEST) / 255
    return np.log10(light @ TO_CONES.T) @ TO_OPPONENTS.T


def measure_stain(image: np.ndarray) -> np.ndarray:
    """Measure mean and deviation of l, alpha and beta: ``uint8 [height, width, 3]`` to ``float64 [2, 3]``."""
    channels = to_opponents(image).reshape(-1, 3)
    return np.stack([channels.mean(axis=0), channels.std(axis=0)])


def fit_target(images: Iterable[np.ndarray]) -> StainTarget:
    """Average the statistics of images: the mean of their means, and of their deviations.

    Args:
        images: ``uint8 [height, width, 3]`` each; one at a time is in memory.

    Raises:
        ValueError: There are no images.
    """
    measured = [measure_stain(image) for image in images]
    if not measured:
        raise ValueError("there are no images whose colours could be a target")
    mean, deviation = np.mean(measured, axis=0)
    return StainTarget(tuple(mean.tolist()), tuple(deviation.tolist()))


def normalise(image: np.ndarray, target: StainTarget) -> np.ndarray:
    """Match an image's mean and deviation to a target's.

    Args:
        image: RGB in 0-255, ``[height, width, 3]``. Its contrast is changed within bounds; without contrast, only its
            mean is changed.
        target: The target fitted to the images that a classifier learned from.

    Returns:
        ``float64 [height, width, 3]``, clipped to 0-255.
    """
    channels = to_opponents(image)
    mean = channels.mean(axis=(0, 1))
    deviation = channels.std(axis=(0, 1))
    gain = np.clip(np.maximum(target.deviation, FLAT) / np.maximum(deviation, FLAT), 1 / MOST_GAIN, MOST_GAIN)
    gain = np.where(deviation > FLAT, gain, 1.0)
    moved = (channels - mean) * gain + np.asarray(target.mean)
    cones = 10 ** (moved @ np.linalg.inv(TO_OPPONENTS).T)
    return np.clip(cones @ np.linalg.inv(TO_CONES).T * 255, 0, 255)
