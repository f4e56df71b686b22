"""The rows of a part: the results for each of some decoded files."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.evaluation.certificate import SENSITIVITIES, WORDS
from leukoscope.evaluation.predictions import MALIGNANT_COLUMN, probability_columns
from leukoscope.evaluation.trust import ABSTAINED
from leukoscope.images.packing_plan import Record, is_unread
from leukoscope.reader.base import Reader
from leukoscope.reader.photographs import PHOTOGRAPH, average_tiles, cut_tiles, read_tiles, warn_of_scale
from leukoscope.reader.watching import add_watched

# Prefix of the reason for a file that another run may be able to read.
NOT_READ = "not read for now"
_FACTS = ["image_id", "path", "sha256"]

# Decodes files in order, by their paths: pixels ``uint8 [height, width, 3]``, or the reason for failure.
DecodeAgain = Callable[[Sequence[str]], Iterable[np.ndarray | str]]


def tabulate_part(
    reader: Reader, records: Sequence[Record], pixels: np.ndarray, decode_again: DecodeAgain
) -> pd.DataFrame:
    """Read decoded images; return one row per record, as ``ReadingPlan.read`` does.

    Args:
        reader: The reader.
        records: Records of the files, in order.
        pixels: ``uint8 [n, size, size, 3]``, for the records without a reason.
        decode_again: Decodes photographs at their original size, before they were reduced to such squares.
    """
    table = _begin(reader, records)
    can_be_read = table["reason"].isna()
    table["reason"] = table["reason"].map(_say_why, na_action="ignore").astype("str")
    photographs = table["warning"].str.contains(PHOTOGRAPH, regex=False, na=False)
    fields = can_be_read & ~photographs
    if fields.any():
        reading = reader.read(pixels[fields[can_be_read].to_numpy()])
        opinions = reading.opinions.set_index(table.index[fields])
        for name in ("opinion", "reason", *_list_words(reader), *_list_figures(reader)):
            table.loc[fields, name] = opinions[name]
        table = add_watched(table, reading, fields)
    if photographs.any():
        paths = table.loc[photographs, "path"]
        for row, image in zip(paths.index, decode_again(paths.tolist()), strict=True):
            for name, value in _read_photograph(reader, image, table.loc[row, "scale"]).items():
                table.loc[row, name] = value
    table["drawn"] = pd.DataFrame(records).reindex(columns=["drawn"])["drawn"].astype("boolean")
    origin = {"model_fingerprint": reader.classifier.fingerprint, "data": reader.data_fingerprint}
    origin |= {"engine": reader.engine_title}
    return table.assign(trained_on=reader.trained_on, model=reader.model, **origin)


def _begin(reader: Reader, records: Sequence[Record]) -> pd.DataFrame:
    """Create the rows, filled with everything that needs no model."""
    facts = pd.DataFrame(records).reindex(columns=[*_FACTS, "reason", "warning", "scale", "height", "width"])
    table = facts[[*_FACTS, "reason", "warning"]].astype("str")
    table.insert(3, "opinion", ABSTAINED)
    sizes = facts[["scale", "height", "width"]].astype(float)
    rows = zip(table["warning"], *(sizes[name] for name in sizes), strict=True)
    words = [_join(own, scale, height, width, reader.image_size) for own, scale, height, width in rows]
    table["warning"] = pd.Series(words, table.index, "str")
    table["scale"] = sizes["scale"]
    for name in _list_words(reader):
        table[name] = pd.Series(None, index=table.index, dtype="str")
    for name in _list_figures(reader):
        table[name] = np.nan
    return table


def _join(of_reading: Any, scale: float, height: float, width: float, image_size: int) -> str | None:
    """Join the warnings from decoding and from the scale of an image."""
    of_scale = None if np.isnan(scale) else warn_of_scale(scale, int(height), int(width), image_size)
    return "; ".join(text for text in (of_reading, of_scale) if isinstance(text, str)) or None


def _read_photograph(reader: Reader, image: np.ndarray | str, scale: float) -> dict[str, Any]:
    if isinstance(image, str):
        return {"reason": f"{NOT_READ}: {image}"}
    tiles = cut_tiles(image.shape[0], image.shape[1], scale, reader.image_size)
    return average_tiles(read_tiles(reader, image, tiles), reader.class_names)


def _list_words(reader: Reader) -> list[str]:
    return ["prediction_set"] if reader.certificate is None else ["prediction_set", WORDS]


def _list_figures(reader: Reader) -> list[str]:
    columns = [MALIGNANT_COLUMN, *probability_columns(reader.class_names), "ood_score"]
    columns += [] if reader.certificate is None else SENSITIVITIES
    return list(dict.fromkeys(columns))  # a class may itself be called malignant


def _say_why(reason: str) -> str:
    return f"{NOT_READ}: {reason.partition(': ')[2]}" if is_unread(reason) else f"unreadable: {reason}"
