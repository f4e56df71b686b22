"""The drawing styles of the audit's protocols."""

from typing import NamedTuple

import pandas as pd

from leukoscope.figures import colours

_STEP = 0.18  # between marks
_ROW = 0.8  # for all marks of a predictor


class Style(NamedTuple):
    """The drawing style of a protocol.

    Attributes:
        legend: What was held out together.
        shade: Colour.
        mark: Matplotlib marker.
        filled: Whether the marker is filled.
    """

    legend: str
    shade: str
    mark: str
    filled: bool = True


class Rung(NamedTuple):
    """The rows of a protocol and embargo, and their drawing style.

    Attributes:
        rows: One row per predictor.
        style: Style of their marks.
        label: What was held out together, and the number of groups.
        shift: Offset of the marks below the middle of the predictor's row.
    """

    rows: pd.DataFrame
    style: Style
    label: str
    shift: float


STYLES = {
    "image": Style("image by image, copies on both sides", colours.SKY, "o"),
    "duplicate": Style("copies together", colours.BLUE, "s"),
    "appearance": Style("appearance clusters together", colours.ORANGE, "D"),
    "table": Style("the user's groups together", colours.PURPLE, "^"),
}
# One per embargo, in increasing order; an embargo's control has the same mark, unfilled.
_SERIES = ((colours.GREEN, "v"), (colours.VERMILION, "P"), (colours.BLACK, "X"))


def list_rungs(table: pd.DataFrame) -> list[Rung]:
    """List the rungs drawn for each predictor, in the order of the table.

    Args:
        table: The audit's table, one row per protocol, embargo (if it has that column) and predictor.
    """
    table = table if "embargo" in table else table.assign(embargo=pd.NA)
    embargoes = sorted(table["embargo"].dropna().unique())
    parts = list(table.groupby(["protocol", "embargo"], sort=False, dropna=False))
    step = min(_STEP, _ROW / max(len(parts), 1))
    rungs = []
    for number, ((protocol, embargo), rows) in enumerate(parts):
        style = STYLES.get(protocol) or _style_series(protocol, int(embargo), embargoes.index(embargo))
        label = f"{style.legend} ({rows['groups'].max():,} groups)"
        rungs.append(Rung(rows, style, label, step * (number - (len(parts) - 1) / 2)))
    return rungs


def _style_series(protocol: str, embargo: int, place: int) -> Style:
    shade, mark = _SERIES[place % len(_SERIES)]
    if protocol == "series":
        return Style(f"runs of file numbers, embargo of {embargo}", shade, mark)
    return Style(f"as many images as with {embargo}, no embargo", shade, mark, filled=False)
