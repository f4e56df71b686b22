"""The shape of a nucleus or a cell, by its mask."""

import numpy as np
import scipy  # which imports ndimage when it is first used

from leukoscope.features.segmentation import find_peaks, measure_convex_area, measure_depth

SHAPE = (
    "area",
    "perimeter",
    "equivalent_diameter",
    "major_axis",
    "minor_axis",
    "axis_ratio",
    "eccentricity",
    "solidity",
    "extent",
    "convex_area",
    "circularity",
    "compactness",
    "roundness",
    "lobes",
)
RATIO = ("nucleus_to_cytoplasm", "nucleus_to_cell_perimeter")
BOUNDARY = ("box_dimension", "radial_variance")
_BOXES = (1, 2, 4, 8, 16, 32)
_SIZES = np.array(_BOXES)[:, None]
_LOGARITHMS = np.log(_BOXES) - np.log(_BOXES).mean()
_SLOPE = _LOGARITHMS / (_LOGARITHMS**2).sum()  # of a line by least squares
_SQUARE = 1 / 12  # the second moment of a pixel by itself, which is a square


def measure_shape(mask: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Measure the shape of a mask.

    Args:
        mask: Of one part, boolean ``[height, width]``.
        scale: Side of the field, in sides of ``segmentation.SIDE``: what counts as a lobe depends on it.

    Returns:
        In the order of ``SHAPE``; lengths in pixels, areas in square pixels, the rest without a unit. All are NaN of a
        mask that is too small to have a perimeter, such as a pixel.
    """
    from skimage.measure import perimeter

    mask = _crop(mask)
    height, width = mask.shape
    convex = measure_convex_area(mask)
    mask = np.pad(mask, 1)
    area = float(mask.sum())
    around = float(perimeter(mask))
    if not around:
        return np.full(len(SHAPE), np.nan)
    major, minor = _measure_axes(mask)
    return np.array(
        [
            area,
            around,
            np.sqrt(4 * area / np.pi),
            major,
            minor,
            minor / major,
            np.sqrt(1 - (minor / major) ** 2),
            area / convex,
            area / (height * width),
            convex,
            4 * np.pi * area / around**2,
            around**2 / area,
            4 * area / (np.pi * major**2),
            find_peaks(measure_depth(mask, scale), mask, scale).max(),
        ]
    )


def measure_ratio(nucleus: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Hold a nucleus against its cell.

    Args:
        nucleus: As of ``measure_shape``.
        cell: The same of the whole cell.

    Returns:
        In the order of ``RATIO``; a cell of which no cytoplasm is seen counts as if one pixel were.
    """
    area = SHAPE.index("area")
    perimeter = SHAPE.index("perimeter")
    cytoplasm = max(cell[area] - nucleus[area], 1.0)
    return np.array([nucleus[area] / cytoplasm, nucleus[perimeter] / cell[perimeter]])


def measure_boundary(mask: np.ndarray) -> np.ndarray:
    """Measure how rough the outline of a mask is.

    Args:
        mask: Of one part, boolean ``[height, width]``.

    Returns:
        In the order of ``BOUNDARY``: the box-counting dimension, and the variance of the outline's distance to the
        centre, in squares of its mean.
    """
    mask = _crop(mask)
    outline = mask & ~scipy.ndimage.binary_erosion(np.pad(mask, 1))[1:-1, 1:-1]
    centre = np.argwhere(mask).mean(axis=0)
    distances = np.linalg.norm(np.argwhere(outline) - centre, axis=1)
    return np.array([_count_dimension(outline), distances.var() / max(distances.mean(), 1.0) ** 2])


def _crop(mask: np.ndarray) -> np.ndarray:
    return mask[scipy.ndimage.find_objects(mask.astype(np.int8))[0]]


def _measure_axes(mask: np.ndarray) -> tuple[float, float]:
    """Give the axes of the ellipse with the same second moments."""
    # An ellipse of semi-axes a and b has second moments a^2 / 4 and b^2 / 4.
    moments = np.cov(np.argwhere(mask).T, bias=True) + _SQUARE * np.eye(2)
    smaller, larger = np.linalg.eigvalsh(moments)
    return 4 * np.sqrt(larger), 4 * np.sqrt(smaller)


def _count_dimension(outline: np.ndarray) -> float:
    """Give the slope of the number of boxes that an outline crosses against their size, both as logarithms."""
    height, width = outline.shape
    rows, columns = np.nonzero(outline)
    # The grid begins at each corner in turn, so that a field turned by 90 degrees has the same dimension.
    down = np.stack([rows, rows, height - 1 - rows, height - 1 - rows])[:, None] // _SIZES
    right = np.stack([columns, width - 1 - columns, columns, width - 1 - columns])[:, None] // _SIZES
    # One number for each box of each grid; how many different ones there are is how many boxes are crossed.
    grids = np.arange(4 * len(_BOXES)).reshape(4, -1, 1)
    boxes = np.unique((grids * height + down) * width + right)
    counts = np.bincount(boxes // (height * width), minlength=grids.size).reshape(4, -1).mean(axis=0)
    return float(-_SLOPE @ np.log(counts))
