"""Finding the leukocytes of a field by thresholds: nuclei, and the whole cells around them.

Nuclei are dark in green and reddish against what is around them (Putzu, Caocci and Di Ruberto 2014, Leucocyte
classification for leukaemia detection using image processing techniques). In these smears red cells have no yellow
either, so that Putzu's rule for whole cells, by yellow, finds those too: a cell is what is coloured close around a
nucleus.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

# Lengths in pixels are those of a field of this side, and areas its.
SIDE = 224
_SMOOTHING = 1.0
_LEAST_AREA = 60
_RIM = 3.0
# A nucleus is darker than the rest by so much green of 255, and redder by so much a*: less is the background's noise.
_LEAST_DARKER, _LEAST_REDDER = 20.0, 4.0
# Less round than this, by 4 pi area / perimeter^2, may be several nuclei that touch.
_ROUND = 0.8
_SOLID = 0.9
_PEAK_SMOOTHING, _PEAK_DISTANCE = 1.5, 6
# sRGB to CIE XYZ under D65, divided by the white of it: rows X and Y.
_TO_X = np.array([0.412453, 0.357580, 0.180423]) / 0.95047
_TO_Y = np.array([0.212671, 0.715160, 0.072169])
_VALUES = np.arange(256) / 255
_LINEAR = np.where(_VALUES > 0.04045, ((_VALUES + 0.055) / 1.055) ** 2.4, _VALUES / 12.92)


class Cells(NamedTuple):
    """The leukocytes of a field; those that its edge cuts are left out.

    Attributes:
        nuclei: The number of the nucleus that each pixel is of, from 1 on, or 0, ``int32 [height, width]``.
        cells: The same of the whole cells, numbered alike.
    """

    nuclei: np.ndarray
    cells: np.ndarray

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.nuclei.max(initial=0))


def find_cells(image: np.ndarray) -> Cells:
    """Find the leukocytes of a field.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
    """
    scale = np.sqrt(image.shape[0] * image.shape[1]) / SIDE
    mask = _threshold_nuclei(image, scale)
    nuclei = _select(separate(_clean(mask, scale), scale), scale)
    return Cells(nuclei, _add_rims(image, nuclei, scale))


def _threshold_nuclei(image: np.ndarray, scale: float) -> np.ndarray:
    """Tell which pixels are darker in green than Otsu's threshold, and redder than that of a*."""
    green = ndimage.gaussian_filter(image[..., 1].astype(np.float32), _SMOOTHING * scale)
    redness = _measure_redness(image)
    mask = (green < _threshold(green)) & (redness > _threshold(redness))
    if mask.all() or not mask.any():
        return np.zeros_like(mask)
    darker = green[~mask].mean() - green[mask].mean()
    redder = redness[mask].mean() - redness[~mask].mean()
    return mask if darker >= _LEAST_DARKER and redder >= _LEAST_REDDER else np.zeros_like(mask)


def _measure_redness(image: np.ndarray) -> np.ndarray:
    """Give a* of CIE Lab, ``float32 [height, width]``."""
    linear = _LINEAR.astype(np.float32)[image]
    return 500 * (_compress(linear @ _TO_X.astype(np.float32)) - _compress(linear @ _TO_Y.astype(np.float32)))


def _compress(share: np.ndarray) -> np.ndarray:
    return np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)


def _threshold(values: np.ndarray) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values))


def _clean(mask: np.ndarray, scale: float) -> np.ndarray:
    cross = ndimage.generate_binary_structure(2, 1)
    opened = ndimage.binary_opening(mask, cross)
    return _remove_small(ndimage.binary_fill_holes(opened), scale)


def _remove_small(mask: np.ndarray, scale: float) -> np.ndarray:
    labels, _ = ndimage.label(mask)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas >= _LEAST_AREA * scale**2)[labels]


def separate(mask: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Number the nuclei of a mask, and cut apart those that touch, by watershed on the distance to the outside.

    Args:
        mask: Where nuclei are, boolean ``[height, width]``.
        scale: Side of the field, in sides of ``SIDE``.

    Returns:
        ``int32 [height, width]``: the number of the nucleus from 1 on, or 0.
    """
    labels, count = ndimage.label(mask)
    for number, place, part in _list_parts(labels):
        pieces = _divide(part, scale) if measure_roundness(part) < _ROUND else part
        for piece in range(2, int(pieces.max()) + 1):
            count += 1
            labels[place][(pieces == piece) & (labels[place] == number)] = count
    return labels


def _list_parts(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, ...], np.ndarray]]:
    """Give for each number its box, and its mask in there."""
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is not None:
            yield number, place, labels[place] == number


def measure_roundness(mask: np.ndarray) -> float:
    """Give 4 pi area / perimeter^2 of a mask: 1 for a large disc, less for anything else."""
    from skimage.measure import perimeter

    around = perimeter(np.pad(mask, 1))
    return float(4 * np.pi * mask.sum() / around**2) if around else 1.0


def _divide(part: np.ndarray, scale: float) -> np.ndarray:
    """Number the pieces of a mask, of which each has a peak of the distance to the outside."""
    from skimage.segmentation import watershed

    part = np.pad(part, 1)
    depth = measure_depth(part, scale)
    return watershed(-depth, find_peaks(depth, part, scale), mask=part)[1:-1, 1:-1]


def measure_depth(mask: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Give the distance of a mask's pixels to its outside, smoothed, ``float [height, width]``."""
    return ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), _PEAK_SMOOTHING * scale)


def find_peaks(depth: np.ndarray, mask: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Find the peaks of a depth within a mask, of which each is the highest for some pixels around.

    Args:
        depth: As ``measure_depth`` gives it, ``float [height, width]``.
        mask: Boolean, of the same shape.
        scale: Side of the field, in sides of ``SIDE``.

    Returns:
        The number of the peak at its pixels, from 1 on, else 0, ``int32 [height, width]``.
    """
    reach = max(1, round(_PEAK_DISTANCE * scale))
    highest = (depth == ndimage.maximum_filter(depth, 2 * reach + 1, mode="constant")) & mask
    return ndimage.label(highest, np.ones((3, 3)))[0]  # a peak may be flat


def _select(labels: np.ndarray, scale: float) -> np.ndarray:
    """Leave out what is small, frayed or cut by the field's edge, and number the rest anew."""
    cut = {*labels[0], *labels[-1], *labels[:, 0], *labels[:, -1]}
    kept = np.zeros(labels.max(initial=0) + 1, np.int32)
    count = 0
    for number, _, part in _list_parts(labels):
        if number not in cut and part.sum() >= _LEAST_AREA * scale**2 and _is_whole(part):
            count += 1
            kept[number] = count
    return kept[labels]


def _is_whole(part: np.ndarray) -> bool:
    """Tell whether a mask has no deep dents, unless it is so little round that it may be several nuclei."""
    return measure_roundness(part) < _ROUND or part.sum() / measure_convex_area(part) >= _SOLID


def measure_convex_area(mask: np.ndarray) -> float:
    """Count the pixels of the convex hull of a mask that is cropped to its box."""
    from skimage.morphology import convex_hull_image

    return float(convex_hull_image(mask).sum())


def _add_rims(image: np.ndarray, nuclei: np.ndarray, scale: float) -> np.ndarray:
    """Let each nucleus grow into what is coloured around it."""
    from skimage.segmentation import expand_labels

    if not nuclei.any():
        return nuclei.copy()
    highest = image.max(axis=2).astype(np.float32)
    saturation = (highest - image.min(axis=2)) / np.maximum(highest, 1)
    coloured = saturation > _threshold(saturation[nuclei == 0])
    return np.where(coloured | (nuclei > 0), expand_labels(nuclei, _RIM * scale), 0).astype(np.int32)
