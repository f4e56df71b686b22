"""Find pixels stained like nuclei, relative to the field's background and to its red cells.

In all Romanowsky stains, a nucleus absorbs green light more than red, and hardly any blue; haemoglobin absorbs blue as
much as green. Lab's a* only contrasts red with green, and mistakes the red cells of pinkish stains for nuclei; it is
kept as a second guard, against bluish areas.
"""

from typing import NamedTuple

import numpy as np
import scipy  # imports ndimage lazily, on first use

from leukoscope.features.segmentation import find_threshold, measure_redness

# A pixel's purpleness is the optical density of green, minus these parts of red's and blue's.
_RED = 0.35
_BLUE = 1.0
# Minimum excess of a nucleus' purpleness over the rest of the field, in optical densities: less is noise.
_LEAST_THRESHOLD = 0.035
_LEAST_CONTRAST = 0.08
# Pale nuclei have less of it, but a larger share of their total density is purple than in any red cell.
_PALE_CONTRAST = 0.05
_PURE = 0.38
_PART_OF_REDNESS = 0.8
_TILES = 7
_BRIGHT = 90
_PASSES = 3
_DARKER = 0.04
_FEWEST_TILES = 15
_DARKEST = 2.0  # of 255: below it a logarithm is meaningless


class Staining(NamedTuple):
    """The staining of a field.

    Attributes:
        nuclear: Mask of pixels stained like nuclei, boolean ``[height, width]``.
        densities: Optical densities of red, green and blue, 0 in the background, ``float32 [height, width, 3]``.
    """

    nuclear: np.ndarray
    densities: np.ndarray


def measure_staining(image: np.ndarray, smoothing: float) -> Staining:
    """Find pixels stained like nuclei: more purple than Otsu's threshold, and nearly as red as that of a*.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
        smoothing: Standard deviation of the smoothing against noise, in pixels.
    """
    smooth = scipy.ndimage.gaussian_filter(image.astype(np.float32), (smoothing, smoothing, 0))
    densities = -np.log10(np.maximum(smooth, _DARKEST) / _fit_background(smooth)).astype(np.float32)
    purple = densities[..., 1] - _RED * densities[..., 0] - _BLUE * densities[..., 2]
    redness = scipy.ndimage.gaussian_filter(measure_redness(image), smoothing)
    red_enough = redness > _PART_OF_REDNESS * find_threshold(redness)
    nuclear = red_enough & (purple > max(find_threshold(purple), _LEAST_THRESHOLD))
    if nuclear.any() and not _has_nuclei(nuclear, purple, densities):
        # Few pale nuclei among many red cells: the threshold separated both from the background.
        nuclear &= purple > find_threshold(purple[nuclear])
    return Staining(nuclear if _has_nuclei(nuclear, purple, densities) else np.zeros_like(nuclear), densities)


def _has_nuclei(nuclear: np.ndarray, purple: np.ndarray, densities: np.ndarray) -> bool:
    """Check whether the most purple pixels are purple enough to be nuclei."""
    if nuclear.all() or not nuclear.any():
        return False
    contrast = purple[nuclear].mean() - purple[~nuclear].mean()
    purity = purple[nuclear].mean() / densities.sum(axis=-1)[nuclear].mean()
    return bool(contrast >= _LEAST_CONTRAST or (contrast >= _PALE_CONTRAST and purity >= _PURE))


def _fit_background(image: np.ndarray) -> np.ndarray:
    """Fit the light of the empty slide, which falls off from some point, by a parabola through the logarithms.

    It is fitted to the brightest part of each tile of a grid; tiles well below it are full of cells and are ignored.

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
    """Return the terms of a two-dimensional parabola at each point of a grid, ``float64 [height, width, 6]``."""
    down, right = np.meshgrid(_centre(height), _centre(width), indexing="ij")
    return np.stack([np.ones_like(down), down, right, down**2, right**2, down * right], axis=-1)


def _centre(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count - 0.5
