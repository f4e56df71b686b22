"""The description of each cell: position, masks, shape, neighbours and sharpness."""

from typing import Any

import numpy as np
import scipy  # imports ndimage lazily, on first use

from leukoscope.cells.classical import find_nuclei, list_cut
from leukoscope.cells.masks import encode_mask
from leukoscope.features.morphology import BOUNDARY, RATIO, SHAPE, measure_boundary, measure_ratio, measure_shape
from leukoscope.features.segmentation import SIDE

FORM = (*(f"nucleus_{name}" for name in SHAPE), *(f"cell_{name}" for name in SHAPE), *RATIO, *BOUNDARY)
PLACE = ("cell", "left", "top", "right", "bottom", "column", "row", "touching", "cut", "focus", "mask", "nucleus_mask")
COLUMNS = (*PLACE, *FORM)
_MARGIN = 2  # pixels around a cell in which its edge is searched
_STEEPEST = 95  # percentile of the slopes
_TINY = 1e-6


def describe_cells(image: np.ndarray, cells: np.ndarray, diameter: float) -> list[dict[str, Any]]:
    """Describe the cells of a field.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
        cells: The cell number of each pixel, starting at 1, or 0, ``int32 [height, width]``.
        diameter: Diameter of a typical cell, in pixels.

    Returns:
        One entry per cell, by the names in ``COLUMNS``; lengths in pixels, areas in square pixels. Shape entries are
        NaN if the nucleus cannot be identified.
    """
    nuclei = find_nuclei(image, diameter)
    touching = _list_touching(cells)
    cut = set(list_cut(cells))
    scale = float(np.sqrt(cells.size)) / SIDE
    entries = []
    for number, place in enumerate(scipy.ndimage.find_objects(cells), start=1):
        if place is None:
            continue
        cell = cells == number
        nucleus = cell & nuclei
        row, column = np.argwhere(cell[place]).mean(axis=0)
        entry = {
            "cell": number,
            "left": place[1].start,
            "top": place[0].start,
            "right": place[1].stop,
            "bottom": place[0].stop,
            "column": float(column) + place[1].start,
            "row": float(row) + place[0].start,
            "touching": number in touching,
            "cut": number in cut,
            "focus": measure_focus(image[..., 1], cell, place),
            "mask": encode_mask(cell),
            "nucleus_mask": encode_mask(nucleus),
        }
        entries.append(entry | dict(zip(FORM, _measure_form(nucleus[place], cell[place], scale), strict=True)))
    return entries


def _measure_form(nucleus: np.ndarray, cell: np.ndarray, scale: float) -> list[float]:
    """Measure shape in the order of ``FORM``; for a nucleus in several lobes, the largest is measured."""
    lobes, count = scipy.ndimage.label(nucleus)
    if not count:
        return [float("nan")] * len(FORM)
    largest = lobes == 1 + np.bincount(lobes.ravel())[1:].argmax()
    shapes = [measure_shape(mask, scale) for mask in (largest, _keep_largest(cell))]
    if np.isnan(shapes).any():
        return [float("nan")] * len(FORM)
    # All lobes count as the nucleus in the comparison with its cell.
    whole = shapes[0].copy()
    whole[SHAPE.index("area")] = nucleus.sum()
    return [*np.concatenate([*shapes, measure_ratio(whole, shapes[1]), measure_boundary(largest)]).astype(float)]


def _keep_largest(mask: np.ndarray) -> np.ndarray:
    labels, _ = scipy.ndimage.label(mask)
    return labels == 1 + np.bincount(labels.ravel())[1:].argmax()


def _list_touching(cells: np.ndarray) -> set[int]:
    """List the numbers of cells with a pixel next to a pixel of another cell, corners included."""
    touching: set[int] = set()
    padded = np.pad(cells, 1)
    height, width = cells.shape
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        # Four of the eight neighbours: the other four give the same pairs from the other side.
        other = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        meets = (cells != other) & (cells > 0) & (other > 0)
        touching |= {*cells[meets].tolist(), *other[meets].tolist()}
    return touching


def measure_focus(green: np.ndarray, cell: np.ndarray, place: tuple[slice, ...]) -> float:
    """Measure the sharpness of a cell's edges: the steepest slopes in and around it, relative to its contrast.

    Args:
        green: The channel in which cells are darkest, ``uint8 [height, width]``.
        cell: Mask of the cell, boolean, of the same shape.
        place: The box of the cell.
    """
    around = tuple(slice(max(0, part.start - _MARGIN), part.stop + _MARGIN) for part in place)
    values = green[around].astype(float)
    slopes = np.hypot(*np.gradient(values)) if min(values.shape) > 1 else np.zeros(values.shape)
    near = scipy.ndimage.binary_dilation(cell[around], iterations=_MARGIN)
    # Relative to the contrast, so that a pale stain is not mistaken for blur.
    contrast = np.ptp(np.percentile(values[near], [5, 95]))
    return float(np.percentile(slopes[near], _STEEPEST) / max(contrast, _TINY))
