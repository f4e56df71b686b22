"""Pictures of single cells, all at the scale of their fields."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leukoscope.cells.masks import decode_mask

# What a background is painted with: the light grey of an empty slide.
NEUTRAL = 230
_SIDE = 2.3  # diameters of a typical leukocyte
_CHUNK = 256


def choose_side(diameter: float) -> int:
    """Choose the side of the crops, in pixels: even, and so large that most leukocytes are whole."""
    return 2 * round(_SIDE * diameter / 2)


@dataclass(frozen=True)
class CellCrops:
    """The crops of cells, of which none has been cut out yet.

    Attributes:
        pixels: The fields, ``uint8 [n, height, width, 3]``, RGB, which may be on disk.
        rows: The row of each cell's field, ``[cells]``.
        cells: ``row``, ``column`` and ``mask`` of each cell.
        side: Of the crops, in pixels.
        neutral: Whether what is not of the cell is painted grey. What lies beyond the field always is.
    """

    pixels: np.ndarray
    rows: np.ndarray
    cells: pd.DataFrame
    side: int
    neutral: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array."""
        return len(self.cells), self.side, self.side, 3

    def chunks(self) -> Iterator[np.ndarray]:
        """Cut some cells out at a time, in order, ``uint8 [some, side, side, 3]``."""
        facts = zip(self.rows, self.cells["row"], self.cells["column"], self.cells["mask"], strict=True)
        crops = []
        for row, down, right, mask in facts:
            crops.append(self._cut_out(self.pixels[row], down, right, mask))
            if len(crops) == _CHUNK:
                yield np.stack(crops)
                crops = []
        if crops:
            yield np.stack(crops)

    def _cut_out(self, field: np.ndarray, row: float, column: float, mask: str) -> np.ndarray:
        height, width = field.shape[:2]
        top, left = round(row - self.side / 2), round(column - self.side / 2)
        down = slice(max(0, top), min(height, top + self.side))
        right = slice(max(0, left), min(width, left + self.side))
        seen = field[down, right]
        if self.neutral:
            inside = decode_mask(mask, height, width)[down, right]
            seen = np.where(inside[..., None], seen, NEUTRAL)
        crop = np.full((self.side, self.side, 3), NEUTRAL, np.uint8)
        crop[down.start - top : down.stop - top, right.start - left : right.stop - left] = seen
        return crop
