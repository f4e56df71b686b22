"""Photographs of many fields, and crops of single cells: the scale of an image's cells, and reading in tiles.

A classifier knows cells of one size, since fields are packed at one size. A photograph of many fields would be
squeezed into one field, with cells of a fraction of that size; cut into tiles at the scale of the training images, it
is read like them. The review page, the pipelines ``predict`` and ``explain``, and the server all use this module.
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
# Prefixes of warnings on images that are read as a field but are not one.
SMALL_CELLS = "an image of cells far smaller than in the training images"
CLOSE_UP = "a crop of a cell or a few"

# The number of typical leukocytes side by side differs by up to 1.7 times between fields of one slide.
_MANY_FIELDS = 2.0
_CLOSE_UP = 2.0
# A tile's side has at least this share of a field's pixels: enlarging adds no detail.
_LEAST_SIDE = 0.75
_MOST_TILES = 400


class Tile(NamedTuple):
    """A part of an image, in its pixels; right and bottom are exclusive."""

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
    """Return a warning on an image that is not a field like the training images.

    Args:
        ratio: The result of ``Scale.compare``.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
        image_size: Side of the packed images.

    Returns:
        A text that begins with ``PHOTOGRAPH``, ``SMALL_CELLS`` or ``CLOSE_UP``; ``None`` if there is nothing to warn
        of.
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
    """Check whether a warning is about a photograph of many fields."""
    return warning is not None and PHOTOGRAPH in warning


def log_scales(warnings: Mapping[str | None, int], are_tiled: bool) -> None:
    """Log a single warning on the images whose scale is not the training images', and what to do about them.

    Args:
        warnings: Number of images with each warning.
        are_tiled: Whether photographs were read in tiles; otherwise each was squeezed into a single field.
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
    """Cut an image of many fields into tiles at the scale of the training images.

    Tiles are squares of one size, spaced evenly so that the first starts and the last ends at the edge; they overlap
    rather than leave a part out.

    Args:
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
        ratio: The result of ``Scale.compare``.
        image_size: Side of the packed images.

    Returns:
        The tiles, row by row; empty for an image of a single field, or with no more pixels than one.
    """
    if ratio is None or ratio < _MANY_FIELDS:
        return []
    shorter = min(height, width)
    side = max(shorter / ratio, _LEAST_SIDE * image_size, (height * width / _MOST_TILES) ** 0.5)
    if shorter < _MANY_FIELDS * side * (1 - 1e-9):
        return []
    side = int(side)
    while -(-height // side) * -(-width // side) > _MOST_TILES:  # both are rounded up
        side += 1
    tops = _spread_evenly(height, side)
    lefts = _spread_evenly(width, side)
    return [Tile(left, top, left + side, top + side) for top in tops for left in lefts]


def _spread_evenly(length: int, side: int) -> list[int]:
    return [int(start) for start in np.rint(np.linspace(0, length - side, -(-length // side)))]


def read_tiles(reader: Reader, image: np.ndarray, tiles: Sequence[Tile]) -> pd.DataFrame:
    """Read each tile as a field of its own.

    Args:
        reader: The reader.
        image: The original image, ``uint8 [height, width, 3]``, RGB.
        tiles: Tiles from ``cut_tiles``.

    Returns:
        One row per tile: ``left, top, right, bottom`` in pixels of the image, and the opinion from ``Reader.read``.
    """
    opinions = reader.read(_cut_out(image, tiles, reader.image_size)).opinions
    return pd.concat([pd.DataFrame(tiles), opinions.reset_index(drop=True)], axis=1)


def _cut_out(image: np.ndarray, tiles: Sequence[Tile], size: int) -> np.ndarray:
    return np.stack([resize(image[tile.top : tile.bottom, tile.left : tile.right], size) for tile in tiles])


def count_tiles(tiles: pd.DataFrame) -> dict[str, int]:
    """Count the tiles that were taken for a class, or got no opinion (``abstained``), the most first.

    Args:
        tiles: With their ``opinion``.
    """
    return dict(Counter(tiles["opinion"]).most_common())


def average_tiles(tiles: pd.DataFrame, class_names: Sequence[str]) -> dict[str, Any]:
    """Combine the tiles of a photograph into its result.

    Args:
        tiles: Their opinions, as ``read_tiles`` or ``Reader.read`` gives them.
        class_names: The classes in the order of the probabilities.

    Returns:
        ``opinion`` and ``reason``, which withhold an opinion on the whole, the mean probabilities, and the median of
        the tiles' ``ood_score``.
    """
    columns = [*probability_columns(class_names), MALIGNANT_COLUMN]
    means = {name: float(tiles[name].mean()) for name in columns}
    return {"opinion": ABSTAINED, "reason": PHOTOGRAPH, **means, "ood_score": float(tiles["ood_score"].median())}


def withhold(opinions: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Withdraw the opinions on photographs that were squeezed into one field, since their error rate is unknown.

    Args:
        opinions: Opinions from ``Reader.read``.
        rows: Which of them are on photographs, boolean ``[images]``.
    """
    told = opinions.copy()
    told.loc[rows, ["opinion", "reason"]] = [ABSTAINED, PHOTOGRAPH]
    if "prediction_set" in told:
        # Convert to objects, since only None becomes null in JSON.
        told["prediction_set"] = told["prediction_set"].astype(object).where(~rows, None)
    return told
