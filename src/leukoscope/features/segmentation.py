"""Find the leukocytes of a field by thresholds: nuclei, and the whole cells around them.

Nuclei are dark in green and reddish relative to their surroundings (Putzu, Caocci and Di Ruberto 2014, Leucocyte
classification for leukaemia detection using image processing techniques). In these smears red cells have no yellow
either, so Putzu's rule for whole cells, based on yellow, would find them too: here, a cell is the coloured area close
around a nucleus.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy  # imports ndimage lazily, on first use

# Lengths in pixels, and areas, are for a field of this side.
SIDE = 224
_SMOOTHING = 1.0
_LEAST_AREA = 60
_RIM = 3.0
# Minimum differences of a nucleus from the rest, darker in green (of 255) and redder in a*: less is background noise.
_LEAST_DARKER = 20.0
_LEAST_REDDER = 4.0
# Parts less round than this, by 4 pi area / perimeter^2, may be several touching nuclei.
_ROUND = 0.8
_SOLID = 0.9
_BINS = 256
_TINY = 1e-9  # tolerance for computed points
_PEAK_SMOOTHING = 1.5
_PEAK_DISTANCE = 6
# sRGB to CIE XYZ under D65, divided by its white point: rows X and Y.
_TO_X = np.array([0.412453, 0.357580, 0.180423]) / 0.95047
_TO_Y = np.array([0.212671, 0.715160, 0.072169])
_VALUES = np.arange(256) / 255
_LINEAR = np.where(_VALUES > 0.04045, ((_VALUES + 0.055) / 1.055) ** 2.4, _VALUES / 12.92)


class Cells(NamedTuple):
    """The leukocytes of a field, without those that its edge cuts.

    Attributes:
        nuclei: The nucleus number of each pixel, starting at 1, or 0, ``int32 [height, width]``.
        cells: The number of the whole cell at each pixel, numbered like the nuclei.
    """

    nuclei: np.ndarray
    cells: np.ndarray

    @property
    def number(self) -> int:
        """Number of leukocytes."""
        return int(self.nuclei.max(initial=0))


def find_cells(image: np.ndarray) -> Cells:
    """Find the leukocytes of a field.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
    """
    scale = np.sqrt(image.shape[0] * image.shape[1]) / SIDE
    mask = _threshold_nuclei(image, scale)
    nuclei = _select(*separate(_clean(mask, scale), scale), scale)
    return Cells(nuclei, _add_rims(image, nuclei, scale))


def _threshold_nuclei(image: np.ndarray, scale: float) -> np.ndarray:
    """Return the pixels darker in green than its Otsu threshold and redder than that of a*, as a mask."""
    green = scipy.ndimage.gaussian_filter(image[..., 1].astype(np.float32), _SMOOTHING * scale)
    redness = measure_redness(image)
    mask = (green < find_threshold(green)) & (redness > find_threshold(redness))
    if mask.all() or not mask.any():
        return np.zeros_like(mask)
    darker = green[~mask].mean() - green[mask].mean()
    redder = redness[mask].mean() - redness[~mask].mean()
    return mask if darker >= _LEAST_DARKER and redder >= _LEAST_REDDER else np.zeros_like(mask)


def measure_redness(image: np.ndarray) -> np.ndarray:
    """Compute a* of CIE Lab, ``float32 [height, width]``."""
    linear = _LINEAR.astype(np.float32)[image]
    return 500 * (_compress(linear @ _TO_X.astype(np.float32)) - _compress(linear @ _TO_Y.astype(np.float32)))


def _compress(share: np.ndarray) -> np.ndarray:
    return np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)


def find_threshold(values: np.ndarray) -> float:
    """Return Otsu's threshold over 256 steps; if there is only one value, that value."""
    from skimage.filters import threshold_otsu

    lowest = float(values.min())
    highest = float(values.max())
    if highest - lowest < _TINY:
        return lowest
    width = (highest - lowest) / _BINS
    steps = np.minimum(((values - lowest) / width).astype(np.int32), _BINS - 1)
    middles = lowest + width * (np.arange(_BINS) + 0.5)
    return float(threshold_otsu(hist=(np.bincount(steps.ravel(), minlength=_BINS), middles)))


def _clean(mask: np.ndarray, scale: float) -> np.ndarray:
    """Open a mask with a cross, fill its holes, and remove small parts."""
    labels, _ = scipy.ndimage.label(fill_holes(scipy.ndimage.binary_opening(mask)))
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas >= _LEAST_AREA * scale**2)[labels]


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill holes unreachable from the field's edge; SciPy's own function does the same in many passes."""
    outside, count = scipy.ndimage.label(~mask)
    open_parts = np.zeros(count + 1, bool)
    for edge in (outside[0], outside[-1], outside[:, 0], outside[:, -1]):
        open_parts[edge] = True
    open_parts[0] = False
    return ~open_parts[outside]


def separate(mask: np.ndarray, scale: float = 1.0) -> tuple[np.ndarray, set[int]]:
    """Number the nuclei of a mask, and split touching ones by watershed on the distance to the outside.

    Args:
        mask: Mask of nuclei, boolean ``[height, width]``.
        scale: Side of the field, in units of ``SIDE``.

    Returns:
        The nucleus number of each pixel, starting at 1, or 0, ``int32 [height, width]``; and the numbers of nuclei that
        are not round, or were split from one that was not.
    """
    labels, count = scipy.ndimage.label(mask)
    angular = set()
    for number, place, part in _list_parts(labels):
        if measure_roundness(part) >= _ROUND:
            continue
        angular.add(number)
        pieces = _divide(part, scale)
        for piece in range(2, int(pieces.max()) + 1):
            count += 1
            angular.add(count)
            labels[place][pieces == piece] = count
    return labels, angular


def _list_parts(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, ...], np.ndarray]]:
    """Yield each number with its box, and its mask within the box."""
    for number, place in enumerate(scipy.ndimage.find_objects(labels), start=1):
        if place is not None:
            yield number, place, labels[place] == number


def measure_roundness(mask: np.ndarray) -> float:
    """Return 4 pi area / perimeter^2 of a mask: 1 for a large disc, less for anything else."""
    from skimage.measure import perimeter

    around = perimeter(np.pad(mask, 1))
    return float(4 * np.pi * mask.sum() / around**2) if around else 1.0


def _divide(part: np.ndarray, scale: float) -> np.ndarray:
    """Split a mask into numbered pieces, one for each peak of the distance to the outside."""
    from skimage.segmentation import watershed

    part = np.pad(part, 1)
    depth = measure_depth(part, scale)
    return watershed(-depth, find_peaks(depth, part, scale), mask=part)[1:-1, 1:-1]


def measure_depth(mask: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Compute the smoothed distance of a mask's pixels to its outside, ``float [height, width]``."""
    return scipy.ndimage.gaussian_filter(scipy.ndimage.distance_transform_edt(mask), _PEAK_SMOOTHING * scale)


def find_peaks(depth: np.ndarray, mask: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Find the peaks of a depth within a mask, each the highest within a few pixels around it.

    Args:
        depth: Depth from ``measure_depth``, ``float [height, width]``.
        mask: Boolean, of the same shape.
        scale: Side of the field, in units of ``SIDE``.

    Returns:
        The peak number at each peak's pixels, starting at 1, else 0, ``int32 [height, width]``.
    """
    reach = max(1, round(_PEAK_DISTANCE * scale))
    highest = (depth == scipy.ndimage.maximum_filter(depth, 2 * reach + 1, mode="constant")) & mask
    return scipy.ndimage.label(highest, np.ones((3, 3)))[0]  # a peak may be flat


def _select(labels: np.ndarray, angular: set[int], scale: float) -> np.ndarray:
    """Remove nuclei that are small, cut by the field's edge, or round but deeply dented, and renumber the rest."""
    cut = {*labels[0], *labels[-1], *labels[:, 0], *labels[:, -1]}
    kept = np.zeros(labels.max(initial=0) + 1, np.int32)
    count = 0
    for number, _, part in _list_parts(labels):
        area = part.sum()
        if number in cut or area < _LEAST_AREA * scale**2:
            continue
        if number in angular or area / measure_convex_area(part) >= _SOLID:
            count += 1
            kept[number] = count
    return kept[labels]


def measure_convex_area(mask: np.ndarray) -> float:
    """Count the pixels whose centres are in the convex hull of a mask's pixels, as scikit-image does, but faster.

    Args:
        mask: A mask of one connected part, cropped to its box, so that no row is empty.
    """
    rows = np.arange(len(mask))
    width = mask.shape[1]
    left = mask.argmax(axis=1)
    right = width - 1 - mask[:, ::-1].argmax(axis=1)
    # A pixel is represented by the midpoints of its edges: in a row, the outermost to the side, above and below.
    height = np.concatenate([rows, rows - 0.5, rows + 0.5])
    ends = [
        _find_hull(height, np.concatenate([sign * side - 0.5, sign * side, sign * side]), rows)
        for sign, side in ((1, left), (-1, right))
    ]
    first = np.ceil(ends[0] - _TINY)
    last = np.floor(-ends[1] + _TINY)
    return float((last - first + 1).sum())


def _find_hull(heights: np.ndarray, places: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return how far the convex hull of points extends at some heights, ``float [rows]`` (Andrew's monotone chain)."""
    order = np.lexsort((places, heights))
    chain: list[tuple[float, float]] = []
    for point in zip(heights[order].tolist(), places[order].tolist(), strict=True):
        while len(chain) > 1 and _turns_outwards(chain[-2], chain[-1], point):
            chain.pop()
        chain.append(point)
    return np.interp(rows, *np.array(chain).T)


def _turns_outwards(first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]) -> bool:
    """Check whether the second of three points is no lower than the line from the first to the third."""
    run = (second[0] - first[0]) * (third[1] - first[1])
    rise = (second[1] - first[1]) * (third[0] - first[0])
    return rise >= run


def _add_rims(image: np.ndarray, nuclei: np.ndarray, scale: float) -> np.ndarray:
    """Grow each nucleus into the coloured area around it, up to halfway to the next nucleus."""
    cells = nuclei.copy()
    if not nuclei.any():
        return cells
    highest = image.max(axis=2).astype(np.float32)
    saturation = (highest - image.min(axis=2)) / np.maximum(highest, 1)
    coloured = saturation > find_threshold(saturation[nuclei == 0])
    nearest = np.full(nuclei.shape, _RIM * scale + _TINY)
    for number, place in enumerate(scipy.ndimage.find_objects(nuclei), start=1):
        around = _widen(place, int(np.ceil(_RIM * scale)))
        distance = scipy.ndimage.distance_transform_edt(nuclei[around] != number)
        free = (nuclei[around] == 0) & coloured[around] & (distance < nearest[around])
        cells[around][free] = number
        nearest[around][free] = distance[free]
    return cells


def _widen(place: tuple[slice, ...], by: int) -> tuple[slice, ...]:
    return tuple(slice(max(0, part.start - by), part.stop + by) for part in place)
