"""How the audit's protocols look, in pictures and in plots alike."""

from collections.abc import Sequence
from typing import NamedTuple

from leukoscope.figures import colours

_STEP = 0.18


class Style(NamedTuple):
    """How one protocol is drawn.

    Attributes:
        legend: What was held out together.
        shade: Its colour.
        mark: Matplotlib's name of its mark.
        symbol: Plotly's name of the same.
    """

    legend: str
    shade: str
    mark: str
    symbol: str

    def describe(self, groups: int) -> str:
        """Say what was held out together, and how many groups there are of it."""
        return f"{self.legend} ({groups:,} groups)"


STYLES = {
    "image": Style("image by image, copies on both sides", colours.SKY, "o", "circle"),
    "duplicate": Style("copies together", colours.BLUE, "s", "square"),
    "look": Style("looks together", colours.ORANGE, "D", "diamond"),
    "table": Style("the user's groups together", colours.PURPLE, "^", "triangle-up"),
}


def shift(number: int, protocols: Sequence[str]) -> float:
    """Tell how far the mark of a protocol stands below the middle of its row."""
    return _STEP * (number - (len(protocols) - 1) / 2)
