"""Simple checks of a field without a network: number of cells, strength of stain, sharpness and colours."""

from typing import NamedTuple

import numpy as np
from PIL import Image


class Check(NamedTuple):
    """A measurement of a field.

    Attributes:
        name: Name of the measurement. Rename it when its definition changes, since it names columns of saved tables.
        least_spread: Differences below this are meaningless, however similar the training images are.
        below: Description of a field with a lower value than the training images.
        above: Description of a field with a higher value than the training images.
    """

    name: str
    least_spread: float
    below: str
    above: str


CHECKS = (
    Check("log_cells", 0.7, "hardly any stained cells", "more stained cells"),
    Check("log_contrast", 0.05, "hardly any stain", "stronger stain"),
    Check("log_sharpness", 0.1, "out of focus", "grainy or noisy"),
    Check("red_share", 0.02, "other colours", "other colours"),
    Check("blue_share", 0.02, "other colours", "other colours"),
)

# Optical density of each pixel value (Ruifrok and Johnston 2001); 256 means that no light is lost.
_DENSITY = np.log10(256 / (np.arange(256, dtype=np.float32) + 1))
# Cells are counted in a field reduced to about this side, which suffices and averages out noise.
_SMALL = 64
# Percentiles of the optical density.
_BACKGROUND = 10
_DARK = 98
_DARKEST = 99
# In red, a nucleus exceeds the background by this density and by half the excess of the densest place. Its area is at
# least this many pixels of the reduced field.
_LEAST_DENSITY = 0.1
_LEAST_AREA = 4
# Densities below these are noise. Adding them keeps logarithms and shares finite, and stable for empty fields.
_LITTLE = 0.05
_TRACE = 1e-6


def check_fields(pixels: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Measure fields one by one.

    Args:
        pixels: ``uint8 [n, side, side, 3]``, RGB.
        rows: The fields to measure; all by default.

    Returns:
        ``float32 [rows, checks]`` in the order of ``CHECKS``, finite for any pixels:

        - ``log_cells``: logarithm of one plus the number of stained nuclei. Romanowsky stains make nuclei absorb
          red, which haemoglobin and eosin transmit.
        - ``log_contrast``: base-10 logarithm of the density difference between the darkest places and the background.
        - ``log_sharpness``: base-10 logarithm of the variance of the Laplacian (Pech-Pacheco et al. 2000) divided by
          the variance of the field itself.
        - ``red_share``, ``blue_share``: shares of red and of blue in all the light that stained places absorb.
    """
    rows = np.arange(len(pixels)) if rows is None else rows
    return np.array([_check(pixels[row]) for row in rows], np.float32).reshape(-1, len(CHECKS))


def _check(image: np.ndarray) -> tuple[float, ...]:
    picture = Image.fromarray(image)
    small = _shrink(picture)
    grey = small.mean(axis=2)
    background, dark = np.percentile(grey, [_BACKGROUND, _DARK])
    red, blue = _share_colours(small, grey >= (background + dark) / 2, grey <= background)
    return (
        np.log1p(_count_nuclei(small[..., 0])),
        np.log10(dark - background + _LITTLE / 5),
        _measure_sharpness(_DENSITY.take(np.asarray(picture.convert("L")))),
        red,
        blue,
    )


def _shrink(picture: Image.Image) -> np.ndarray:
    """Compute densities at about 64 pixels a side, ``float32 [side, side, 3]``, averaged over 3 by 3 neighbours."""
    from scipy.ndimage import uniform_filter

    small = picture.reduce(max(1, round(picture.width / _SMALL)))
    return uniform_filter(_DENSITY.take(np.asarray(small)), (3, 3, 1))


def _count_nuclei(red: np.ndarray) -> int:
    from scipy.ndimage import label

    background, darkest = np.percentile(red, [_BACKGROUND, _DARKEST])
    objects, _ = label(red - background > max(_LEAST_DENSITY, (darkest - background) / 2))
    return int((np.bincount(objects.ravel())[1:] >= _LEAST_AREA).sum())


def _measure_sharpness(grey: np.ndarray) -> float:
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return np.log10((laplacian.var() + _TRACE) / (grey.var() + _TRACE))


def _share_colours(small: np.ndarray, is_dark: np.ndarray, is_background: np.ndarray) -> tuple[float, float]:
    """Compute the shares of red and blue in the light that dark places absorb beyond the background."""
    stained = small[is_dark].mean(axis=0) - small[is_background].mean(axis=0)
    red, _, blue = (stained + _LITTLE / 3) / (np.abs(stained).sum() + _LITTLE)
    return red, blue
