"""What is known from the cells alone, and from a field without them: the mirror of what cannot see cells."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy  # which imports ndimage when it is first used

from leukoscope.cells.crops import NEUTRAL, CellCrops
from leukoscope.cells.description import FORM
from leukoscope.cells.masks import decode_mask
from leukoscope.core.spreading import spread
from leukoscope.features.colour import count_colours
from leukoscope.features.texture import measure_texture
from leukoscope.images.packed import PackedImages

_RIM = 0.1  # of a typical leukocyte's diameter: what around a mask is still of its cell
_HIDDEN = 0.99  # the share of all cells whose form and size one disc hides
_NEIGHBOURS = 8  # of local binary patterns
_PATTERNS = 10  # how many of them there are
_STEPS = 8  # of brightness
_GREY = _PATTERNS + _STEPS
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_FEWEST = 16  # pixels outside of all cells that are enough to tell the background


def describe_by_cells(
    smears: PackedImages, cells: pd.DataFrame, image_ids: pd.Series, diameter: float, side: int
) -> dict[str, np.ndarray]:
    """Describe fields by their cells alone, and by what is left without them.

    Args:
        smears: The packed images.
        cells: A row a cell, one or more.
        image_ids: Of the fields.
        diameter: Of a typical leukocyte, in pixels.
        side: Of the crops, in pixels.

    Returns:
        By the predictor's name ``float [images, features]``: ``cell_number`` (how many cells there are, and their mean
        area), ``cell_form`` (mean and deviation over the cells of all that is measured of their form), ``cell_texture``
        (the same of Haralick's features), ``grey_cells`` (the same of local binary patterns and of brightness) and
        ``without_cells`` (colours of the pixels outside of all cells). Texture and patterns are of the cells in grey,
        less each one's mean brightness.
    """
    rows = smears.rows(image_ids)
    measured = _measure_crops(smears, cells, side)
    texture = measured[:, :-_GREY]
    grey = measured[:, -_GREY:]
    areas = cells["cell_area"].groupby(cells["image_id"]).agg(["size", "mean"]).reindex(image_ids).fillna(0.0)
    return {
        "cell_number": areas.to_numpy(float),
        "cell_form": _gather(cells[list(FORM)].to_numpy(float), cells["image_id"], image_ids),
        "cell_texture": _gather(texture, cells["image_id"], image_ids),
        "grey_cells": _gather(grey, cells["image_id"], image_ids),
        "without_cells": np.concatenate(
            [
                count_colours(field[~inside][None, :, None, :], np.array([0]))
                for field, inside, _ in _mark(smears.pixels, rows, cells, image_ids, diameter)
            ]
        ),
    }


def measure_reach(cells: pd.DataFrame, diameter: float) -> float:
    """Measure how far cells reach from their centres, nearly all of them, with their rims; in pixels.

    Args:
        cells: A row a cell.
        diameter: Of a typical leukocyte, in pixels.
    """
    down = np.maximum(cells["row"] - cells["top"], cells["bottom"] - cells["row"])
    right = np.maximum(cells["column"] - cells["left"], cells["right"] - cells["column"])
    return float(np.maximum(down, right).quantile(_HIDDEN)) + _RIM * diameter + 1


def blank_cells(
    pixels: np.ndarray, rows: np.ndarray, cells: pd.DataFrame, image_ids: pd.Series, diameter: float, reach: float
) -> np.ndarray:
    """Paint over the cells of fields with the middle colour of the rest.

    Each cell goes with a disc around it, the same for all, so that its form and size cannot be told by what was painted
    over; how many there are and where still can.

    Args:
        pixels: ``uint8 [n, height, width, 3]``, RGB.
        rows: Of the fields.
        cells: A row a cell.
        image_ids: Of the fields.
        diameter: Of a typical leukocyte, in pixels.
        reach: The radius of the disc, in pixels.

    Returns:
        ``uint8 [rows, height, width, 3]``.
    """
    painted = []
    for field, inside, cells_of_field in _mark(pixels, rows, cells, image_ids, diameter):
        outside = field[~inside] if (~inside).sum() >= _FEWEST else np.full((1, 3), NEUTRAL)
        down, right = np.ogrid[: field.shape[0], : field.shape[1]]
        hidden = inside.copy()
        for row, column in cells_of_field[["row", "column"]].to_numpy():
            hidden |= (down - row) ** 2 + (right - column) ** 2 <= reach**2
        painted.append(np.where(hidden[..., None], np.median(outside, axis=0), field).astype(np.uint8))
    return np.stack(painted)


def _mark(
    pixels: np.ndarray, rows: np.ndarray, cells: pd.DataFrame, image_ids: pd.Series, diameter: float
) -> Iterator[tuple[np.ndarray, np.ndarray, pd.DataFrame]]:
    """Give each field with where its cells and their rims are, and the rows of its cells."""
    by_image = dict(list(cells.groupby("image_id")))
    none = cells.iloc[:0]
    for row, name in zip(rows, image_ids, strict=True):
        field = np.asarray(pixels[row])
        cells_of_field = by_image.get(name, none)
        inside = np.zeros(field.shape[:2], bool)
        for mask in cells_of_field["mask"]:
            inside |= decode_mask(mask, *field.shape[:2])
        yield field, scipy.ndimage.binary_dilation(inside, iterations=max(1, round(_RIM * diameter))), cells_of_field


def _measure_crops(smears: PackedImages, cells: pd.DataFrame, side: int) -> np.ndarray:
    """Measure texture and grey of every cell, in the order of the table."""
    crops = CellCrops(smears.pixels, smears.rows(cells["image_id"]), cells, side, neutral=True)
    parts = []
    for chunk in crops.chunks():
        keys = {b"%d" % number: number for number in range(len(chunk))}
        measured = {key: values for part in spread(_measure_crop, chunk, keys) for key, values in part.items()}
        parts += [measured[key] for key in keys]
    return np.array(parts, float)


def _measure_crop(crop: np.ndarray) -> np.ndarray:
    from skimage.feature import local_binary_pattern

    inside = (crop != NEUTRAL).any(axis=2)
    if not inside.any():
        inside[:] = True
    grey = crop @ _LUMINANCE
    # How dark a cell is as a whole is how strongly it was stained.
    grey = np.rint(np.clip(grey - grey[inside].mean() + 128, 0, 255))
    patterns = local_binary_pattern(grey.astype(np.uint8), _NEIGHBOURS, 1, "uniform")[inside].astype(int)
    counts = np.histogram(np.clip(grey[inside] - 128, -63, 63), bins=_STEPS, range=(-64, 64))[0]
    shares = np.concatenate([np.bincount(patterns, minlength=_PATTERNS), counts]) / inside.sum()
    return np.concatenate([measure_texture(grey.astype(np.uint8), inside), shares])


def _gather(values: np.ndarray, cells_of: pd.Series, image_ids: pd.Series) -> np.ndarray:
    """Give mean and deviation over each field's cells; what is missing is as usual, ``[images, 2 * features]``."""
    grouped = pd.DataFrame(values).groupby(cells_of.to_numpy())
    both = pd.concat([grouped.mean(), grouped.std(ddof=0)], axis=1, ignore_index=True).reindex(image_ids)
    return both.fillna(both.median()).fillna(0.0).to_numpy()
