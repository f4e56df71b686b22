"""Find leukocytes without training: staining, distance to the outside, h-maxima, watershed.

Lengths are in diameters of the typical leukocyte of the images, areas in areas of a disc of that diameter.
"""

import numpy as np
import scipy  # imports ndimage lazily, on first use

from leukoscope.cells.staining import Staining, measure_staining
from leukoscope.features.segmentation import SIDE, fill_holes

# Raise by hand when the same field would give other cells; earlier results are then ignored.
FORMAT = 2
_NOISE = 0.03
_LEAST_NOISE = 0.7  # pixels
_SPECK = 0.02
_HOLE = 0.12
_LEAST_NUCLEUS = 0.12
_LEAST_CUT_NUCLEUS = 0.07
# Cytoplasm is coloured, lies near a nucleus, and absorbs less blue than the red cells farther off.
_COLOURED = 0.09
_REACH = 0.4
_FAR = 0.5
_HUE = 1.5
_LIKE_RED_CELLS = 0.12
_FEWEST_RED = 200
_FAINTEST = 0.02
_USUAL_HUE = -0.1  # of red cells, for fields that have hardly any
_OPENING = 0.04
_ROUNDING = 0.1
# The landscape is the distance to the outside of the cell plus this multiple of that to the outside of the nucleus.
_NUCLEAR = 1.0
_SMOOTHING = 0.06
_NECK = 0.86
_FLAT = 0.1
_CELL_TO_NUCLEUS = 1.4  # ratio of diameters, before anything is known of the cells


def find_leukocytes(image: np.ndarray, diameter: float) -> np.ndarray:
    """Find the individual leukocytes of a field.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
        diameter: Diameter of a typical leukocyte, in pixels.

    Returns:
        The leukocyte number of each pixel, starting at 1, or 0, ``int32 [height, width]``.
    """
    staining = measure_staining(image, max(_LEAST_NOISE, _NOISE * diameter))
    nuclei = clean_nuclei(staining.nuclear, diameter)
    if not nuclei.any():
        return np.zeros(nuclei.shape, np.int32)
    parts = _separate(_add_cytoplasm(staining, nuclei, diameter), nuclei, diameter)
    return _round_off(_select(parts, nuclei, diameter), nuclei, diameter)


def find_nuclei(image: np.ndarray, diameter: float) -> np.ndarray:
    """Find the pixels stained like nuclei, boolean ``[height, width]``; arguments as for ``find_leukocytes``."""
    staining = measure_staining(image, max(_LEAST_NOISE, _NOISE * diameter))
    return clean_nuclei(staining.nuclear, diameter)


def measure_diameter(image: np.ndarray) -> float | None:
    """Estimate the diameter of a field's typical leukocyte: thicker cells make up half of the area.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.

    Returns:
        The diameter in pixels; ``None`` if nothing is stained like nuclei.
    """
    staining = measure_staining(image, _LEAST_NOISE * max(1.0, min(image.shape[:2]) / SIDE))
    thickness = _measure_thickness(scipy.ndimage.binary_opening(staining.nuclear))
    if not thickness:
        return None
    guess = _CELL_TO_NUCLEUS * thickness
    nuclei = clean_nuclei(staining.nuclear, guess)
    return _measure_thickness(_add_cytoplasm(staining, nuclei, guess)) if nuclei.any() else None


def clean_nuclei(mask: np.ndarray, diameter: float) -> np.ndarray:
    """Open a mask of nuclei, and remove specks."""
    opened = scipy.ndimage.binary_opening(mask, iterations=max(1, round(_NOISE * diameter)))
    labels, _ = scipy.ndimage.label(opened)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas >= _SPECK * measure_area(diameter))[labels]


def measure_area(diameter: float) -> float:
    """Return the area of a disc."""
    return float(np.pi / 4 * diameter**2)


def _measure_thickness(mask: np.ndarray) -> float | None:
    """Return twice the area-weighted median depth of a mask's parts."""
    labels, count = scipy.ndimage.label(mask)
    if not count:
        return None
    depths = scipy.ndimage.maximum(_measure_depth(mask), labels, np.arange(1, count + 1))
    order = np.argsort(depths)
    shares = np.bincount(labels.ravel())[1:][order].cumsum()
    return float(2 * depths[order][np.searchsorted(shares, shares[-1] / 2)])


def _measure_depth(mask: np.ndarray) -> np.ndarray:
    """Return the distance to the outside; beyond the field's edge, a mask continues."""
    return scipy.ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]


def _add_cytoplasm(staining: Staining, nuclei: np.ndarray, diameter: float) -> np.ndarray:
    """Return nuclei with their surroundings that lack the hue of red cells, boolean ``[height, width]``."""
    red, green, blue = np.moveaxis(staining.densities, -1, 0)
    total = red + green + blue
    hue = (green - _HUE * blue) / np.maximum(total, _FAINTEST)
    distance = scipy.ndimage.distance_transform_edt(~nuclei)
    coloured = total > _COLOURED
    red_cells = hue[coloured & (distance > _FAR * diameter)]
    usual = np.median(red_cells) if len(red_cells) > _FEWEST_RED else _USUAL_HUE
    around = coloured & (hue > usual + _LIKE_RED_CELLS) & (distance <= _REACH * diameter)
    steps = max(1, round(_OPENING * diameter))
    cells = nuclei | scipy.ndimage.binary_opening(around | nuclei, iterations=steps)
    labels, _ = scipy.ndimage.label(cells)
    with_nucleus = np.zeros(labels.max() + 1, bool)
    with_nucleus[labels[nuclei]] = True
    return _fill_small_holes(with_nucleus[labels], diameter)


def _fill_small_holes(mask: np.ndarray, diameter: float) -> np.ndarray:
    """Fill holes, except for large ones, which cells leave between them."""
    labels, _ = scipy.ndimage.label(fill_holes(mask) & ~mask)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return mask | ((areas > 0) & (areas <= _HOLE * measure_area(diameter)))[labels]


def _separate(cells: np.ndarray, nuclei: np.ndarray, diameter: float) -> np.ndarray:
    """Number the parts of a mask, split at necks that are a seventh less deep than the shallower of two peaks."""
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    depth = _measure_depth(cells) + _NUCLEAR * _measure_depth(_fill_small_holes(nuclei, diameter))
    depth = scipy.ndimage.gaussian_filter(depth, _SMOOTHING * diameter)
    # On a logarithmic scale, the height of a peak over its saddle is a ratio: small cells touch by less.
    peaks = h_maxima(np.log(depth + _FLAT * diameter), -np.log(_NECK))
    markers, _ = scipy.ndimage.label(peaks, np.ones((3, 3)))
    return watershed(-depth, markers, mask=cells)


def _select(parts: np.ndarray, nuclei: np.ndarray, diameter: float) -> np.ndarray:
    """Remove parts with too little of a nucleus, platelets above all, and renumber the rest."""
    sizes = np.bincount(parts[nuclei], minlength=parts.max() + 1)
    least = np.full(len(sizes), _LEAST_NUCLEUS)
    least[list_cut(parts)] = _LEAST_CUT_NUCLEUS
    kept = sizes >= least * measure_area(diameter)
    kept[0] = False
    return np.where(kept, kept.cumsum(), 0)[parts].astype(np.int32)


def list_cut(parts: np.ndarray) -> list[int]:
    """List the numbers of cells that reach the field's edge."""
    edge = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return [int(number) for number in np.unique(edge) if number]


def _round_off(parts: np.ndarray, nuclei: np.ndarray, diameter: float) -> np.ndarray:
    """Remove thin parts of each cell, such as the rim of a touching red cell, and keep its largest piece."""
    reach = max(1, round(_ROUNDING * diameter))
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = rows**2 + columns**2 <= reach**2
    rounded = np.zeros_like(parts)
    for number, place in enumerate(scipy.ndimage.find_objects(parts), start=1):
        cell = np.pad(parts[place] == number, reach, mode="edge")
        core = np.pad((parts[place] == number) & nuclei[place], reach)
        labels, _ = scipy.ndimage.label(scipy.ndimage.binary_opening(cell, disc) | core)
        largest = 1 + np.bincount(labels.ravel())[1:].argmax()
        rounded[place][(labels == largest)[reach:-reach, reach:-reach]] = number
    return rounded
