"""Features of the cells alone, and of fields without cells: the counterpart of cell-blind predictors."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy  # imports ndimage on first use

from leukoscope.cells.crops import NEUTRAL, CellCrops
from leukoscope.cells.description import FORM
from leukoscope.cells.masks import decode_mask
from leukoscope.core.spreading import spread
from leukoscope.features.colour import count_colours
from leukoscope.features.texture import measure_texture
from leukoscope.images.packed import PackedImages

_RIM = 0.1  # share of a typical leukocyte's diameter around a mask that still belongs to the cell
_HIDDEN = 0.99  # share of all cells whose form and size the disc hides
_NEIGHBOURS = 8  # neighbours in local binary patterns
_PATTERNS = 10  # number of local binary patterns
_STEPS = 8  # steps of brightness
_GREY = _PATTERNS + _STEPS
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_FEWEST = 16  # fewest pixels outside of all cells that show the background


def describe_by_cells(
    smears: PackedImages, cells: pd.DataFrame, image_ids: pd.Series, diameter: float, side: int
) -> dict[str, np.ndarray]:
    """Compute features of fields from their cells alone, and from the fields without cells.

    Args:
        smears: The packed images.
        cells: One row per cell, at least one.
        image_ids: The ids of the fields.
        diameter: The diameter of a typical leukocyte, in pixels.
        side: The side of the crops, in pixels.

    Returns:
        ``float [images, features]`` by predictor name: ``cell_number`` (the number of cells and their mean area),
        ``cell_form`` (mean and standard deviation over the cells of all measurements of form), ``cell_texture`` (mean
        and standard deviation of Haralick's features), ``grey_cells`` (those of local binary patterns and brightness)
        and ``without_cells`` (colours of the pixels outside of all cells). Texture and patterns are computed on grey
        cells, each minus its mean brightness.
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
    """Measure how far nearly all cells, with their rims, extend from their centres; in pixels.

    Args:
        cells: One row per cell.
        diameter: The diameter of a typical leukocyte, in pixels.
    """
    down = np.maximum(cells["row"] - cells["top"], cells["bottom"] - cells["row"])
    right = np.maximum(cells["column"] - cells["left"], cells["right"] - cells["column"])
    return float(np.maximum(down, right).quantile(_HIDDEN)) + _RIM * diameter + 1


def blank_cells(
    pixels: np.ndarray, rows: np.ndarray, cells: pd.DataFrame, image_ids: pd.Series, diameter: float, reach: float
) -> np.ndarray:
    """Paint over the cells of fields with the median colour of the rest.

    A disc of the same size is painted around each cell, so that the painted area does not reveal the cells' form and
    size; it still reveals their number and places.

    Args:
        pixels: ``uint8 [n, height, width, 3]``, RGB.
        rows: The rows of the fields in ``pixels``.
        cells: One row per cell.
        image_ids: The ids of the fields.
        diameter: The diameter of a typical leukocyte, in pixels.
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
    """Yield each field, the mask of its cells with their rims, and the rows of its cells."""
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
    """Measure the texture and grey values of every cell, in the order of the table."""
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
    # Remove the mean brightness of a cell, which depends on how strongly it was stained.
    grey = np.rint(np.clip(grey - grey[inside].mean() + 128, 0, 255))
    patterns = local_binary_pattern(grey.astype(np.uint8), _NEIGHBOURS, 1, "uniform")[inside].astype(int)
    counts = np.histogram(np.clip(grey[inside] - 128, -63, 63), bins=_STEPS, range=(-64, 64))[0]
    shares = np.concatenate([np.bincount(patterns, minlength=_PATTERNS), counts]) / inside.sum()
    return np.concatenate([measure_texture(grey.astype(np.uint8), inside), shares])


def _gather(values: np.ndarray, cells_of: pd.Series, image_ids: pd.Series) -> np.ndarray:
    """Return mean and standard deviation over each field's cells, or medians if missing, ``[images, 2 * features]``."""
    grouped = pd.DataFrame(values).groupby(cells_of.to_numpy())
    both = pd.concat([grouped.mean(), grouped.std(ddof=0)], axis=1, ignore_index=True).reindex(image_ids)
    return both.fillna(both.median()).fillna(0.0).to_numpy()
