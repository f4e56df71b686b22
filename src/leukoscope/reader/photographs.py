"""Photographs of many fields, and crops of single cells: at what scale an image shows its cells, and reading in tiles.

A classifier knows cells of one size, since fields are packed at one size. A photograph that shows many fields at once
would be squeezed into a single one, with cells of a fraction of that size; cut into tiles of the scale of the training
images, it is read as these are.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.cells.classical import measure_diameter
from leukoscope.images.decoding import resize
from leukoscope.reader.base import Reader

# Cells are looked for in a picture of at most this side: no more is needed to tell their size.
_SIDE = 640
# Fields of one slide differ by up to 1.7 in how many typical leukocytes lie side by side in them.
_MANY_FIELDS, _CLOSE_UP = 2.0, 2.0
# A tile has at least this part of the pixels of a field, along its sides: enlarging adds nothing to be seen.
_LEAST_SIDE = 0.75
_MOST_TILES = 400
_SAMPLE = 24


class Tile(NamedTuple):
    """A part of an image, in its pixels; right and bottom are the first outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Scale:
    """At what scale the training images show their cells.

    Attributes:
        cells_across: How many typical leukocytes would lie side by side in a field.
    """

    cells_across: float

    @classmethod
    def learn(cls, pixels: np.ndarray, rows: np.ndarray) -> Self | None:
        """Learn it from fields taken evenly.

        Args:
            pixels: Packed fields, ``uint8 [n, side, side, 3]``, RGB.
            rows: Which of them, ``[fields]``.

        Returns:
            ``None`` where nothing in them is stained as nuclei are.
        """
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int))]
        known = [across for row in chosen if (across := _count_across(pixels[row]))]
        return cls(float(np.median(known))) if known else None

    def compare(self, image: np.ndarray) -> float | None:
        """Give how many times as many cells fit side by side into an image as into a training image.

        Args:
            image: As it was given, ``uint8 [height, width, 3]``, RGB.

        Returns:
            Along the shorter side; ``None`` where nothing is stained as nuclei are.
        """
        across = _count_across(image)
        return None if across is None else across / self.cells_across


def _count_across(image: np.ndarray) -> float | None:
    picture = Image.fromarray(image)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    diameter = measure_diameter(np.asarray(picture))
    return None if diameter is None else min(picture.size) / diameter


def is_close_up(ratio: float | None) -> bool:
    """Tell whether an image is a crop of one cell or a few, by what ``Scale.compare`` gives."""
    return ratio is not None and ratio <= 1 / _CLOSE_UP


def cut_tiles(height: int, width: int, ratio: float | None, image_size: int) -> list[Tile]:
    """Cut an image that shows many fields into tiles of the scale of the training images.

    Tiles are squares of one size, spread evenly so that the first begins and the last ends at the edge; they overlap
    rather than leave a part out.

    Args:
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        ratio: As ``Scale.compare`` gives it.
        image_size: Side of the packed images.

    Returns:
        Row by row; none for an image that shows a single field, or has no more pixels than one.
    """
    if ratio is None or ratio < _MANY_FIELDS:
        return []
    shorter = min(height, width)
    side = max(shorter / ratio, _LEAST_SIDE * image_size, (height * width / _MOST_TILES) ** 0.5)
    if shorter < _MANY_FIELDS * side * (1 - 1e-9):
        return []
    side = int(side)
    tops, lefts = _spread_evenly(height, side), _spread_evenly(width, side)
    return [Tile(left, top, left + side, top + side) for top in tops for left in lefts]


def _spread_evenly(length: int, side: int) -> list[int]:
    return [int(start) for start in np.rint(np.linspace(0, length - side, -(-length // side)))]


def read_tiles(reader: Reader, image: np.ndarray, tiles: list[Tile]) -> pd.DataFrame:
    """Read each tile as a field of its own.

    Args:
        reader: Who reads.
        image: As it was given, ``uint8 [height, width, 3]``, RGB.
        tiles: As ``cut_tiles`` gives them.

    Returns:
        A row a tile: ``left, top, right, bottom`` in pixels of the image, and the opinion as ``Reader.read`` gives it.
    """
    fields = [resize(image[one.top : one.bottom, one.left : one.right], reader.image_size) for one in tiles]
    opinions = reader.read(np.stack(fields)).opinions
    return pd.concat([pd.DataFrame(tiles), opinions.reset_index(drop=True)], axis=1)
