"""The shape of a nucleus or a cell, measured on its mask."""

import numpy as np
import scipy  # imports ndimage lazily, on first use

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
_SLOPE = _LOGARITHMS / (_LOGARITHMS**2).sum()  # of a least-squares line
_SQUARE = 1 / 12  # the second moment of a single pixel, which is a square


def measure_shape(mask: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Measure the shape of a mask.

    Args:
        mask: A mask of one connected part, boolean ``[height, width]``.
        scale: Side of the field, in units of ``segmentation.SIDE``: the size of a lobe depends on it.

    Returns:
        In the order of ``SHAPE``; lengths in pixels, areas in square pixels, the rest without a unit. All are NaN for a
        mask that is too small to have a perimeter, such as a single pixel.
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
    """Compare a nucleus with its cell.

    Args:
        nucleus: The nucleus's shape, from ``measure_shape``.
        cell: The whole cell's shape, from ``measure_shape``.

    Returns:
        In the order of ``RATIO``; a cell without visible cytoplasm counts as having one pixel of it.
    """
    area = SHAPE.index("area")
    perimeter = SHAPE.index("perimeter")
    cytoplasm = max(cell[area] - nucleus[area], 1.0)
    return np.array([nucleus[area] / cytoplasm, nucleus[perimeter] / cell[perimeter]])


def measure_boundary(mask: np.ndarray) -> np.ndarray:
    """Measure the roughness of a mask's outline.

    Args:
        mask: A mask of one connected part, boolean ``[height, width]``.

    Returns:
        In the order of ``BOUNDARY``: the box-counting dimension, and the variance of the outline's distance to the
        centre, relative to its squared mean.
    """
    mask = _crop(mask)
    outline = mask & ~scipy.ndimage.binary_erosion(np.pad(mask, 1))[1:-1, 1:-1]
    centre = np.argwhere(mask).mean(axis=0)
    distances = np.linalg.norm(np.argwhere(outline) - centre, axis=1)
    return np.array([_count_dimension(outline), distances.var() / max(distances.mean(), 1.0) ** 2])


def _crop(mask: np.ndarray) -> np.ndarray:
    return mask[scipy.ndimage.find_objects(mask.astype(np.int8))[0]]


def _measure_axes(mask: np.ndarray) -> tuple[float, float]:
    """Return the axes of the ellipse with the same second moments."""
    # An ellipse of semi-axes a and b has second moments a^2 / 4 and b^2 / 4.
    moments = np.cov(np.argwhere(mask).T, bias=True) + _SQUARE * np.eye(2)
    smaller, larger = np.linalg.eigvalsh(moments)
    return 4 * np.sqrt(larger), 4 * np.sqrt(smaller)


def _count_dimension(outline: np.ndarray) -> float:
    """Return the box-counting dimension: the slope of the log number of boxes crossed against their log size."""
    height, width = outline.shape
    rows, columns = np.nonzero(outline)
    # The grid starts at each corner in turn, so that a field rotated by 90 degrees has the same dimension.
    down = np.stack([rows, rows, height - 1 - rows, height - 1 - rows])[:, None] // _SIZES
    right = np.stack([columns, width - 1 - columns, columns, width - 1 - columns])[:, None] // _SIZES
    # One number per box and grid; the number of distinct ones is the number of boxes crossed.
    grids = np.arange(4 * len(_BOXES)).reshape(4, -1, 1)
    boxes = np.unique((grids * height + down) * width + right)
    counts = np.bincount(boxes // (height * width), minlength=grids.size).reshape(4, -1).mean(axis=0)
    return float(-_SLOPE @ np.log(counts))
