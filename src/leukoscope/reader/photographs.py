"""Photographs of many fields, and crops of single cells: at what scale an image shows its cells, and reading in tiles.

A classifier knows cells of one size, since fields are packed at one size. A photograph that shows many fields at once
would be squeezed into a single one, with cells of a fraction of that size; cut into tiles of the scale of the training
images, it is read as these are. The review page, the pipelines ``predict`` and ``explain``, and the server all go by
what is here.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.evaluation.predictions import MALIGNANT_COLUMN, probability_columns
from leukoscope.evaluation.trust import ABSTAINED
from leukoscope.images.decoding import resize
from leukoscope.reader.base import Reader

logger = logging.getLogger(__name__)

PHOTOGRAPH = "a photograph of many fields"
# What begins the warnings of images that are read as a field and are none.
SMALL_CELLS = "an image of cells far smaller than in the training images"
CLOSE_UP = "a crop of a cell or a few"

# Fields of one slide differ by up to 1.7 in how many typical leukocytes lie side by side in them.
_MANY_FIELDS = 2.0
_CLOSE_UP = 2.0
# A tile has at least this part of the pixels of a field, along its sides: enlarging adds nothing to be seen.
_LEAST_SIDE = 0.75
_MOST_TILES = 400


class Tile(NamedTuple):
    """A part of an image, in its pixels; right and bottom are the first outside."""

    left: int
    top: int
    right: int
    bottom: int


class Field(NamedTuple):
    """An image as it is read.

    Attributes:
        pixels: ``uint8 [size, size, 3]``, RGB.
        scale: As ``Scale.compare`` gives it; ``None`` where it is not known.
        warning: What should be known of it, if anything.
        tiles: Of a photograph of many fields, as ``cut_tiles`` gives them; else none.
        cut: These tiles, ``uint8 [tiles, size, size, 3]``, if they were asked for.
    """

    pixels: np.ndarray
    scale: float | None
    warning: str | None
    tiles: Sequence[Tile] = ()
    cut: np.ndarray | None = None


def make_field(reader: Reader, image: np.ndarray, warning: str | None = None, cutting: bool = False) -> Field:
    """Reduce an image to what a reader reads, and say how much it shows.

    Args:
        reader: Who is to read it.
        image: As it was given, ``uint8 [height, width, 3]``, RGB.
        warning: What else should be known of it.
        cutting: Whether the tiles of a photograph are wanted, for somebody who does not keep the image itself.
    """
    height, width, _ = image.shape
    ratio = None if reader.scale is None else reader.scale.compare(image)
    warnings = [warning, warn_of_scale(ratio, height, width, reader.image_size)]
    tiles = cut_tiles(height, width, ratio, reader.image_size)
    cut = _cut_out(image, tiles, reader.image_size) if cutting and tiles else None
    words = "; ".join(filter(None, warnings)) or None
    return Field(resize(image, reader.image_size), ratio, words, tiles, cut)


def warn_of_scale(ratio: float | None, height: int, width: int, image_size: int) -> str | None:
    """Say what should be known of an image that is no field as the training images are.

    Args:
        ratio: As ``Scale.compare`` gives it.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        image_size: Side of the packed images.

    Returns:
        It begins with ``PHOTOGRAPH``, ``SMALL_CELLS`` or ``CLOSE_UP``; ``None`` where there is nothing to say.
    """
    if ratio is None or 1 / _CLOSE_UP < ratio < _MANY_FIELDS:
        return None
    if ratio <= 1 / _CLOSE_UP:
        large = f"its cells look {1 / ratio:.1f} times as large as those of the training images"
        return f"{CLOSE_UP}, or another magnification: {large}"
    more = f"{ratio:.1f} times as many would lie side by side"
    if cut_tiles(height, width, ratio, image_size):
        return f"{PHOTOGRAPH}: {more} as in a training image"
    return f"{SMALL_CELLS}: {more}, and there are too few pixels to cut it into fields"


def is_photograph(warning: str | None) -> bool:
    """Tell whether a warning is of a photograph of many fields."""
    return warning is not None and PHOTOGRAPH in warning


def log_scales(warnings: Mapping[str | None, int], are_tiled: bool) -> None:
    """Say once how many images are no fields as the training images are, and what to do about it.

    Args:
        warnings: How many images have each.
        are_tiled: Whether photographs were read in tiles; else each was squeezed into a single field.
    """
    kinds = (PHOTOGRAPH, SMALL_CELLS, CLOSE_UP)
    counts = {kind: sum(count for text, count in warnings.items() if text and kind in text) for kind in kinds}
    present = [kind for kind in kinds if counts[kind]]
    if not present:
        return
    become = "is read in tiles" if are_tiled else "is squeezed into one field: cut it into fields of that scale first"
    remedies = {PHOTOGRAPH: f"each {become}, and gets no opinion"}
    kept = "read as a field, which it is not: give whole fields, at the magnification of the training images"
    parts = [f"{counts[kind]} {kind} ({remedies.get(kind, kept)})" for kind in present]
    total = count_of(sum(warnings.values()), "image")
    others = count_of(sum(counts.values()), "is", "are")
    logger.warning("Of %s %s not of the training images' scale: %s", total, others, "; ".join(parts))


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
    tops = _spread_evenly(height, side)
    lefts = _spread_evenly(width, side)
    return [Tile(left, top, left + side, top + side) for top in tops for left in lefts]


def _spread_evenly(length: int, side: int) -> list[int]:
    return [int(start) for start in np.rint(np.linspace(0, length - side, -(-length // side)))]


def read_tiles(reader: Reader, image: np.ndarray, tiles: Sequence[Tile]) -> pd.DataFrame:
    """Read each tile as a field of its own.

    Args:
        reader: Who reads.
        image: As it was given, ``uint8 [height, width, 3]``, RGB.
        tiles: As ``cut_tiles`` gives them.

    Returns:
        A row a tile: ``left, top, right, bottom`` in pixels of the image, and the opinion as ``Reader.read`` gives it.
    """
    opinions = reader.read(_cut_out(image, tiles, reader.image_size)).opinions
    return pd.concat([pd.DataFrame(tiles), opinions.reset_index(drop=True)], axis=1)


def _cut_out(image: np.ndarray, tiles: Sequence[Tile], size: int) -> np.ndarray:
    return np.stack([resize(image[one.top : one.bottom, one.left : one.right], size) for one in tiles])


def count_tiles(tiles: pd.DataFrame) -> dict[str, int]:
    """Count the tiles that were taken for a class, or got no opinion (``abstained``), the most first.

    Args:
        tiles: With their ``opinion``.
    """
    return dict(Counter(tiles["opinion"]).most_common())


def average_tiles(tiles: pd.DataFrame, class_names: Sequence[str]) -> dict[str, Any]:
    """Give what is said of a photograph by its tiles.

    Args:
        tiles: Their opinions, as ``read_tiles`` or ``Reader.read`` gives them.
        class_names: The classes in the order of the probabilities.

    Returns:
        ``opinion`` and ``reason`` of having none on the whole, the means of the probabilities, and the median of the
        tiles' ``ood_score``.
    """
    columns = [*probability_columns(class_names), MALIGNANT_COLUMN]
    means = {name: float(tiles[name].mean()) for name in columns}
    return {"opinion": ABSTAINED, "reason": PHOTOGRAPH, **means, "ood_score": float(tiles["ood_score"].median())}


def withhold(opinions: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Take back the opinions on photographs that were squeezed into one field, whose error rate nobody knows.

    Args:
        opinions: As ``Reader.read`` gives them.
        rows: Which of them are of photographs, boolean ``[images]``.
    """
    told = opinions.copy()
    told.loc[rows, ["opinion", "reason"]] = [ABSTAINED, PHOTOGRAPH]
    if "prediction_set" in told:
        # Of objects, since JSON has null for None alone.
        told["prediction_set"] = told["prediction_set"].astype(object).where(~rows, None)
    return told
