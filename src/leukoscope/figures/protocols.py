"""How the audit's protocols look."""

from typing import NamedTuple

import pandas as pd

from leukoscope.figures import colours

_STEP = 0.18  # between marks
_ROW = 0.8  # of all marks of a predictor


class Style(NamedTuple):
    """How one protocol is drawn.

    Attributes:
        legend: What was held out together.
        shade: Its colour.
        mark: Matplotlib's name of its mark.
        filled: Whether the mark is.
    """

    legend: str
    shade: str
    mark: str
    filled: bool = True


class Rung(NamedTuple):
    """The rows of a protocol and embargo, and how they are drawn.

    Attributes:
        rows: One a predictor.
        style: Of their marks.
        label: What was held out together, and how many groups there are of it.
        shift: How far the marks stand below the middle of the predictor's row.
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
# One after another for growing embargoes; the control of an embargo is its hollow twin.
_SERIES = ((colours.GREEN, "v"), (colours.VERMILION, "P"), (colours.BLACK, "X"))


def list_rungs(table: pd.DataFrame) -> list[Rung]:
    """List what is drawn for each predictor, in the order of the table.

    Args:
        table: The audit's, one row a protocol, embargo (if it has that column) and predictor.
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
