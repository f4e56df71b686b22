"""Measurements of the leukocytes of a field: shape, texture and colour, and their number."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy  # imports ndimage lazily, on first use

from leukoscope.features.colour import MOMENTS, measure_colours
from leukoscope.features.morphology import BOUNDARY, RATIO, SHAPE, measure_boundary, measure_ratio, measure_shape
from leukoscope.features.segmentation import SIDE, Cells, find_cells
from leukoscope.features.texture import TEXTURE, measure_texture

# Raise by hand when the same field would give other numbers; earlier measurements are then ignored.
FORMAT = 1
GROUPS = ("shape", "texture", "colour")
_OF_CELLS = {
    "shape": (*(f"nucleus_{name}" for name in SHAPE), *(f"cell_{name}" for name in SHAPE), *RATIO, *BOUNDARY),
    "texture": TEXTURE,
    "colour": MOMENTS,
}
COUNT = "count"
SHARE = "share"
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@cache
def list_features(groups: Sequence[str] = GROUPS) -> tuple[str, ...]:
    """List the names of some groups' measurements, in the order of ``measure_field``.

    Args:
        groups: Some of ``GROUPS``. The number of cells and their share of the field belong to ``shape``.
    """
    by_cell = [name for group in GROUPS if group in groups for name in _OF_CELLS[group]]
    moments = [f"{name}_{moment}" for moment in ("mean", "deviation") for name in by_cell]
    return (*moments, *((COUNT, SHARE) if "shape" in groups else ()))


FEATURES = list_features()


def measure_field(image: np.ndarray) -> np.ndarray:
    """Measure a field: mean and deviation of each cell measurement over its cells, their number and share.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.

    Returns:
        ``float32`` in the order of ``FEATURES``; NaN if no cell could be measured, except for the count and share,
        which are then 0.
    """
    cells = find_cells(image)
    scale = float(np.sqrt(image.shape[0] * image.shape[1]) / SIDE)
    places = scipy.ndimage.find_objects(cells.cells) if cells.number else []
    measured = [_measure_cell(image, cells, number, place, scale) for number, place in enumerate(places, 1)]
    return summarise(measured, cells.number, float((cells.cells > 0).mean()))


def summarise(measured: Sequence[np.ndarray], number: int, share: float) -> np.ndarray:
    """Summarise the measurements of a field's cells in the order of ``FEATURES``.

    Args:
        measured: The measurements of each cell that could be measured.
        number: Number of cells.
        share: Share of the field that the cells cover.
    """
    if not len(measured):
        return np.array([np.nan] * (len(FEATURES) - 2) + [number, share], np.float32)
    together = np.stack(measured)
    return np.concatenate([together.mean(axis=0), together.std(axis=0), [number, share]]).astype(np.float32)


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Compute the luminance of pixels, ``uint8 [height, width, 3]`` to ``uint8 [height, width]``."""
    return np.rint(pixels @ _GREY).astype(np.uint8)


def _measure_cell(image: np.ndarray, cells: Cells, number: int, place: tuple[slice, slice], scale: float) -> np.ndarray:
    nucleus = cells.nuclei[place] == number
    cell = cells.cells[place] == number
    pixels = image[place]
    shapes = [measure_shape(mask, scale) for mask in (nucleus, cell)]
    return np.concatenate(
        [
            *shapes,
            measure_ratio(*shapes),
            measure_boundary(nucleus),
            measure_texture(to_grey(pixels), nucleus),
            measure_colours(pixels[cell]),
        ]
    )
