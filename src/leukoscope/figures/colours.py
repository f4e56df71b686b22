"""Okabe and Ito's colour-blind-safe palette: https://jfly.uni-koeln.de/color/."""

from collections.abc import Sequence
from typing import NamedTuple

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"
BLACK = "#000000"
GREY = "#999999"
# For the metrics in a comparison, in their order.
OF_SCORES = (BLUE, GREEN, PURPLE, YELLOW, BLACK)

_OF_CLASSES = (GREEN, ORANGE, BLUE, PURPLE, VERMILION, SKY, BLACK, YELLOW)
_LINES = ("-", "--", ":", "-.")


class ClassStyle(NamedTuple):
    """The drawing style of a class.

    Attributes:
        colour: Its colour, the same in every figure.
        line: Matplotlib line style, which differs if two classes share a colour.
    """

    colour: str
    line: str


def style_classes(class_names: Sequence[str]) -> dict[str, ClassStyle]:
    """Assign each class a style by its position among all classes, whichever of them a figure shows.

    Args:
        class_names: All classes, in order.
    """
    styles = {}
    for number, name in enumerate(class_names):
        line = _LINES[number // len(_OF_CLASSES) % len(_LINES)]
        styles[name] = ClassStyle(_OF_CLASSES[number % len(_OF_CLASSES)], line)
    return styles
