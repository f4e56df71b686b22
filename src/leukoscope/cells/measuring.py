"""Measurements of a field's detected cells, under the measurement names of crafted models."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukoscope.cells.description import FORM
from leukoscope.cells.masks import decode_mask
from leukoscope.cells.strips import Cutting
from leukoscope.features.colour import MOMENTS, measure_colours
from leukoscope.features.fields import FEATURES, GROUPS, summarise, to_grey
from leukoscope.features.texture import TEXTURE, measure_texture

# Raise by hand when the same cells would give other numbers.
FORMAT = 1


class FoundCells(NamedTuple):
    """The cells of some fields, as the pipeline `cells` found them.

    Attributes:
        table: The table from ``tabulate_cells``.
        cutting: How the cells were found.
    """

    table: pd.DataFrame
    cutting: Cutting

    def measure(
        self, pixels: np.ndarray, rows: np.ndarray, names: Sequence[str], groups: Collection[str]
    ) -> np.ndarray:
        """Measure fields by their cells with ``measure_found``, ``float32 [fields, FEATURES]``.

        Args:
            pixels: ``uint8 [n, height, width, 3]``, RGB.
            rows: Which fields to measure, ``[fields]``.
            names: ``image_id`` of each field.
            groups: Groups of measurements.
        """
        wanted = self.table[self.table["image_id"].isin(names)]
        by_field = {name: part.to_dict("records") for name, part in wanted.groupby("image_id", sort=False)}
        found = [by_field.get(name, []) for name in names]
        measured = [measure_found(pixels[row], cells, groups) for row, cells in zip(rows, found, strict=True)]
        return np.array(measured, np.float32).reshape(len(rows), len(FEATURES))


def measure_found(
    image: np.ndarray, cells: Sequence[Mapping[str, Any]], groups: Collection[str] = GROUPS
) -> np.ndarray:
    """Measure a field by its cells: mean and deviation of each cell measurement, their number and share.

    Args:
        image: ``uint8 [height, width, 3]``, RGB.
        cells: Cells from ``describe_cells``. Cells without a nucleus are counted, but not measured.
        groups: Groups of measurements, some of ``fields.GROUPS``; measurements of other groups are NaN.

    Returns:
        ``float32`` in the order of ``FEATURES``; NaN if no cell could be measured.
    """
    height, width = image.shape[:2]
    masks = [decode_mask(cell["mask"], height, width) for cell in cells]
    share = sum(int(mask.sum()) for mask in masks) / (height * width)
    measured = [
        _measure_cell(image, cell, mask, groups)
        for cell, mask in zip(cells, masks, strict=True)
        if np.isfinite(cell[FORM[0]])
    ]
    return summarise(measured, len(cells), share)


def _measure_cell(image: np.ndarray, cell: Mapping[str, Any], mask: np.ndarray, groups: Collection[str]) -> np.ndarray:
    place = slice(cell["top"], cell["bottom"]), slice(cell["left"], cell["right"])
    pixels = image[place]
    nowhere = np.full(len(TEXTURE) + len(MOMENTS), np.nan)
    texture = nowhere[: len(TEXTURE)]
    colours = nowhere[len(TEXTURE) :]
    if "texture" in groups:
        nucleus = decode_mask(cell["nucleus_mask"], *mask.shape)[place]
        texture = measure_texture(to_grey(pixels), nucleus)
    if "colour" in groups:
        colours = measure_colours(pixels[mask[place]])
    return np.concatenate([[cell[name] for name in FORM], texture, colours])
