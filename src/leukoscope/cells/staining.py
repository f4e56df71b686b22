"""What is stained as nuclei are: against the background of the field, and against its red cells.

A nucleus takes up green light more than red, and hardly any blue, in all stains of the Romanowsky family; haemoglobin
takes up blue as much as green. Lab's a* holds red against green only, and takes the red cells of pinkish stains for
nuclei; it is kept as a second guard, against what is bluish.
"""

from typing import NamedTuple

import numpy as np
import scipy  # which imports ndimage when it is first used

from leukoscope.features.segmentation import find_threshold, measure_redness

# Optical density of green, less these parts of that of red and of blue, is how purple a pixel is.
_RED = 0.35
_BLUE = 1.0
# A nucleus is so much more purple than the rest of the field: less is noise. In optical densities.
_LEAST_THRESHOLD = 0.035
_LEAST_CONTRAST = 0.08
# Pale nuclei are less so, but then purple is so large a part of all their density, as it is of no red cell's.
_PALE_CONTRAST = 0.05
_PURE = 0.38
_PART_OF_REDNESS = 0.8
_TILES = 7
_BRIGHT = 90
_PASSES = 3
_DARKER = 0.04
_FEWEST_TILES = 15
_DARKEST = 2.0  # of 255: below it a logarithm says nothing


class Staining(NamedTuple):
    """How a field is stained.

    Attributes:
        nuclear: What is stained as nuclei are, boolean ``[height, width]``.
        densities: Optical densities of red, green and blue, 0 in the background, ``float32 [height, width, 3]``.
    """

    nuclear: np.ndarray
    densities: np.ndarray


def measure_staining(image: np.ndarray, smoothing: float) -> Staining:
    """Tell what is stained as nuclei are: more purple than Otsu's threshold, and nearly as red as that of a*.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
        smoothing: Of the noise, in pixels.
    """
    smooth = scipy.ndimage.gaussian_filter(image.astype(np.float32), (smoothing, smoothing, 0))
    densities = -np.log10(np.maximum(smooth, _DARKEST) / _fit_background(smooth)).astype(np.float32)
    purple = densities[..., 1] - _RED * densities[..., 0] - _BLUE * densities[..., 2]
    redness = scipy.ndimage.gaussian_filter(measure_redness(image), smoothing)
    red_enough = redness > _PART_OF_REDNESS * find_threshold(redness)
    nuclear = red_enough & (purple > max(find_threshold(purple), _LEAST_THRESHOLD))
    if nuclear.any() and not _has_nuclei(nuclear, purple, densities):
        # Few pale nuclei among many red cells: the threshold parted these from the background.
        nuclear &= purple > find_threshold(purple[nuclear])
    return Staining(nuclear if _has_nuclei(nuclear, purple, densities) else np.zeros_like(nuclear), densities)


def _has_nuclei(nuclear: np.ndarray, purple: np.ndarray, densities: np.ndarray) -> bool:
    """Tell whether what is most purple is so enough to be of nuclei."""
    if nuclear.all() or not nuclear.any():
        return False
    contrast = purple[nuclear].mean() - purple[~nuclear].mean()
    purity = purple[nuclear].mean() / densities.sum(axis=-1)[nuclear].mean()
    return bool(contrast >= _LEAST_CONTRAST or (contrast >= _PALE_CONTRAST and purity >= _PURE))


def _fit_background(image: np.ndarray) -> np.ndarray:
    """Fit the light of the empty slide, which falls off from somewhere, by a parabola through the logarithms.

    It goes through the brightest part of each of a grid of tiles; tiles that lie well below it are full of cells, and
    do not count.

    Returns:
        ``float64 [height, width, 3]``.
    """
    height, width = image.shape[:2]
    rows = np.linspace(0, height, _TILES + 1).astype(int)
    columns = np.linspace(0, width, _TILES + 1).astype(int)
    bright = np.empty((_TILES, _TILES, 3))
    for i in range(_TILES):
        for j in range(_TILES):
            tile = image[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            bright[i, j] = np.percentile(tile.reshape(-1, 3), _BRIGHT, axis=0)
    light = np.log(np.maximum(bright, _DARKEST)).reshape(-1, 3)
    terms = _list_terms(_TILES, _TILES).reshape(-1, 6)
    counts = light[:, 1] >= np.quantile(light[:, 1], 0.4)
    for _ in range(_PASSES):
        coefficients = np.linalg.lstsq(terms[counts], light[counts], rcond=None)[0]
        near = (light - terms @ coefficients)[:, 1] > -_DARKER
        if near.sum() < _FEWEST_TILES:
            break
        counts = near
    return np.exp(_list_terms(height, width) @ coefficients)


def _list_terms(height: int, width: int) -> np.ndarray:
    """Give the terms of a parabola in two dimensions at each place of a grid, ``float64 [height, width, 6]``."""
    down, right = np.meshgrid(_centre(height), _centre(width), indexing="ij")
    return np.stack([np.ones_like(down), down, right, down**2, right**2, down * right], axis=-1)


def _centre(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count - 0.5
