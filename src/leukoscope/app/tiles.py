"""A photograph of many fields on the page: the predictions of its tiles, as a map and in words."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from leukoscope.app.pictures import encode
from leukoscope.evaluation.predictions import MALIGNANT_COLUMN, probability_columns
from leukoscope.evaluation.trust import ABSTAINED
from leukoscope.figures.colours import style_classes
from leukoscope.reader.photographs import Tile, average_tiles, count_tiles, read_tiles
from leukoscope.reader.second_reader import SecondReader

TILES = "tiles"
_SIDE = 1400  # of the longer side of the map, in pixels
_STRENGTH = 150  # opacity, of 255
_FAINT = 70


class TiledReading(NamedTuple):
    """The result of reading a photograph tile by tile.

    Attributes:
        side: Side of a tile, in pixels of the photograph.
        counts: Number of tiles by prediction (a class or ``abstained``), the largest first.
        probabilities: The mean of the tiles' calibrated probabilities, by class.
        malignant: The mean probability of any class but the benign one.
        ood_score: The median of the tiles' out-of-distribution scores.
        map: A PNG file to be laid over the photograph.
    """

    side: int
    counts: dict[str, int]
    probabilities: dict[str, float]
    malignant: float
    ood_score: float
    map: bytes


def read_in_tiles(reader: SecondReader, pixels: np.ndarray, tiles: Sequence[Tile]) -> TiledReading:
    """Read a photograph tile by tile.

    Args:
        reader: The reader.
        pixels: The photograph at its original size, ``uint8 [height, width, 3]``, RGB.
        tiles: Tiles as returned by ``cut_tiles``.
    """
    table = read_tiles(reader, pixels, tiles)
    means = average_tiles(table, reader.class_names)
    chances = [means[name] for name in probability_columns(reader.class_names)]
    return TiledReading(
        side=tiles[0].right - tiles[0].left,
        counts=count_tiles(table),
        probabilities=dict(zip(reader.class_names, chances, strict=True)),
        malignant=means[MALIGNANT_COLUMN],
        ood_score=means["ood_score"],
        map=_draw(table, reader.class_names, pixels.shape[1], pixels.shape[0]),
    )


def _draw(table: pd.DataFrame, class_names: Sequence[str], width: int, height: int) -> bytes:
    """Draw each tile's prediction as a colour and a name, in the area where that tile is the nearest."""
    scale = _SIDE / max(width, height)
    picture = Image.new("RGBA", (round(width * scale), round(height * scale)))
    draw = ImageDraw.Draw(picture)
    across, down = (_list_edges(table[first], table[last]) for first, last in (("left", "right"), ("top", "bottom")))
    styles = style_classes(class_names)
    likeliest = np.array(class_names)[table[probability_columns(class_names)].to_numpy().argmax(axis=1)]
    for tile, name in zip(table.itertuples(), likeliest, strict=True):
        (left, right), (top, bottom) = across[tile.left], down[tile.top]
        box = [round(edge * scale) for edge in (left, top, right, bottom)]
        words, strength = (f"{name}?", _FAINT) if tile.opinion == ABSTAINED else (name, _STRENGTH)
        draw.rectangle(box, fill=f"{styles[name].colour}{strength:02x}", outline="#ffffff", width=2)
        place = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        size = max(10, (box[2] - box[0]) // 8)
        font = ImageFont.load_default(size)
        draw.text(place, words, "#000000", font, "mm", stroke_width=max(1, size // 8), stroke_fill="#ffffff")
    return encode(picture, "PNG")


def _list_edges(first: pd.Series, last: pd.Series) -> dict[int, tuple[float, float]]:
    """Divide overlapping tiles midway; return, by each tile's start, where its drawn area begins and ends."""
    starts = np.unique(first)
    middles = (starts + (last - first).iloc[0] / 2).tolist()
    edges = [0.0, *((lower + upper) / 2 for lower, upper in pairwise(middles)), float(last.max())]
    return dict(zip(starts.tolist(), pairwise(edges), strict=True))
