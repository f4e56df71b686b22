"""Answers of a server: opinions on fields, and for photographs of many fields the results of their tiles."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukoscope.reader.base import Reading
from leukoscope.reader.photographs import Field, average_tiles, count_tiles, log_scales
from leukoscope.reader.second_reader import SecondReader

TILES = "tiles"
# Tiles that are read at once; other requests get their turn in between.
_TOGETHER = 16

# Reads images, ``uint8 [n, size, size, 3]``, once it is their turn.
Read = Callable[[np.ndarray], Reading]


class Answer(NamedTuple):
    """The results for the images of a request.

    Attributes:
        opinions: One row per image, in order: columns of ``Reader.read``, with ``warning``, ``scale`` and ``tiles``.
        of_fields: The reading of all images that are not photographs; ``None`` if all are photographs.
    """

    opinions: pd.DataFrame
    of_fields: Reading | None


def answer_fields(reader: SecondReader, fields: Sequence[Field], read: Read) -> Answer:
    """Read each field, and photographs tile by tile, like the review page.

    Args:
        reader: The reader.
        fields: The decoded images, photographs with their tiles cut out.
        read: Reads some images once it is their turn.
    """
    log_scales(Counter(field.warning for field in fields), are_tiled=True)
    singles = [number for number, field in enumerate(fields) if field.cut is None]
    reading = read(np.stack([fields[number].pixels for number in singles])) if singles else None
    rows: dict[int, dict[str, Any]] = {}
    if reading is not None:
        rows = dict(zip(singles, reading.opinions.to_dict("records"), strict=True))
    for number, field in enumerate(fields):
        if field.cut is not None:
            rows[number] = _read_photograph(field.cut, reader.class_names, read)
        rows[number] |= {"warning": field.warning, "scale": field.scale}
    return Answer(_tabulate([rows[number] for number in range(len(fields))]), reading)


def _read_photograph(cut: np.ndarray, class_names: Sequence[str], read: Read) -> dict[str, Any]:
    parts = [read(cut[start : start + _TOGETHER]).opinions for start in range(0, len(cut), _TOGETHER)]
    tiles = pd.concat(parts, ignore_index=True)
    # Columns that photographs lack are null, so that all images have the same columns.
    return dict.fromkeys(tiles) | average_tiles(tiles, class_names) | {TILES: count_tiles(tiles)}


def _tabulate(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a table of rows, with ``None`` for missing values, which JSON writes as null."""
    table = pd.DataFrame([row | {TILES: row.get(TILES)} for row in rows], dtype=object)
    whole = [name for name in table if table[name].notna().all()]
    return table.where(table.notna(), None).astype(table[whole].infer_objects().dtypes.to_dict())
