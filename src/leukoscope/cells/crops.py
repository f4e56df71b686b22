"""Crops of single cells, all at the scale of their fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.cells.masks import decode_mask

# Painted backgrounds: the light grey of an empty slide.
NEUTRAL = 230
_SIDE = 2.3  # in diameters of a typical leukocyte
_CHUNK = 256


def choose_side(diameter: float) -> int:
    """Choose the side of the crops, in pixels: even, and large enough that most leukocytes fit whole."""
    return 2 * round(_SIDE * diameter / 2)


@dataclass(frozen=True)
class CellCrops:
    """The crops of cells, cut out lazily.

    Attributes:
        pixels: The fields, ``uint8 [n, height, width, 3]``, RGB, which may be on disk.
        rows: The row of each cell's field, ``[cells]``.
        cells: ``row``, ``column`` and ``mask`` of each cell.
        side: Side of the crops, in pixels.
        neutral: Whether pixels outside the cell are painted grey. Pixels beyond the field always are.
    """

    pixels: np.ndarray
    rows: np.ndarray
    cells: pd.DataFrame
    side: int
    neutral: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return len(self.cells), self.side, self.side, 3

    def chunks(self) -> Iterator[np.ndarray]:
        """Cut out cells in chunks, in order, ``uint8 [some, side, side, 3]``."""
        crops = []
        for row, cell in zip(self.rows, list_places(self.cells), strict=True):
            crops.append(cut_out(self.pixels[row], cell, self.side, self.neutral))
            if len(crops) == _CHUNK:
                yield np.stack(crops)
                crops = []
        if crops:
            yield np.stack(crops)


def list_places(cells: pd.DataFrame) -> list[dict[str, Any]]:
    """List the entries of each cell of a table that ``cut_out`` needs."""
    return cells[["row", "column", "mask"]].to_dict("records")


def cut_out(field: np.ndarray, cell: Mapping[str, Any], side: int, neutral: bool) -> np.ndarray:
    """Cut a cell out of its field, ``uint8 [side, side, 3]``.

    Args:
        field: ``uint8 [height, width, 3]``, RGB.
        cell: Its ``row``, ``column`` and ``mask``.
        side: Side of the crop, in pixels.
        neutral: Whether pixels outside the cell are painted grey. Pixels beyond the field always are.
    """
    height, width = field.shape[:2]
    top = round(cell["row"] - side / 2)
    left = round(cell["column"] - side / 2)
    down = slice(max(0, top), min(height, top + side))
    right = slice(max(0, left), min(width, left + side))
    part = field[down, right]
    if neutral:
        inside = decode_mask(cell["mask"], height, width)[down, right]
        part = np.where(inside[..., None], part, NEUTRAL)
    crop = np.full((side, side, 3), NEUTRAL, np.uint8)
    crop[down.start - top : down.stop - top, right.start - left : right.stop - left] = part
    return crop
