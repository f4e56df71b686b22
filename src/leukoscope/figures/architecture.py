"""Draw a network as a stack of its blocks, with parallel blocks side by side."""

import textwrap
from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, WIDTH, make_figure

# Inches.
_LINE = 0.19
_PADDING = 0.14
_GAP = 0.16
_LETTERS = 46  # per line of a block's contents


class Block(Protocol):
    """The drawn facts of a block; ``models.outline.BlockOutline`` documents them."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def parameters(self) -> int: ...  # noqa: D102

    @property
    def contents(self) -> tuple[str, ...]: ...  # noqa: D102


def draw_architecture(title: str, levels: Sequence[Sequence[Block]]) -> Figure:
    """Draw the blocks of a network from input to output, with their shapes and parameters.

    Args:
        title: The network's name.
        levels: The levels of the network from input to output; blocks of one level are drawn side by side.
    """
    words = [[_describe(block, len(level)) for block in level] for level in levels]
    heights = [_LINE * max(map(len, level)) + _PADDING for level in words]
    total = sum(block.parameters for level in levels for block in level)
    height = sum(heights) + _GAP * (len(heights) - 1)
    figure = make_figure(height + 0.1, f"{title}: {total:,} parameters that train")
    axes = figure.add_subplot()
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    top = 0.0
    for level, block_height in zip(words, heights, strict=True):
        if top:
            _point(axes, top - _GAP, top)
        for number, lines in enumerate(level):
            _draw_block(axes, lines, top, block_height, number, len(level))
        top += block_height + _GAP
    return figure


def _describe(block: Block, beside: int) -> list[str]:
    shape = " x ".join("any" if side is None else str(side) for side in block.shape)
    parameters = f"{block.parameters:,} parameters" if block.parameters else "nothing trains"
    contents = textwrap.wrap(", ".join(block.contents), _LETTERS // beside)
    title = [f"{block.name}   {shape}   {parameters}"] if beside == 1 else [block.name, shape, parameters]
    return [*title, *contents]


def _draw_block(axes: Axes, lines: Sequence[str], top: float, height: float, number: int, beside: int) -> None:
    """Draw one block of a level with ``beside`` blocks."""
    width = WIDTH / beside
    left = number * width
    axes.add_patch(
        Rectangle((left + 0.03, top), width - 0.06, height, facecolor="white", edgecolor=colours.BLUE, lw=1.2)
    )
    for place, line in enumerate(lines):
        middle = top + _PADDING / 2 + _LINE * (place + 0.5)
        weight = "normal" if place else "bold"
        axes.text(
            left + width / 2, middle, line, ha="center", va="center", fontsize=SMALL, weight=weight, parse_math=False
        )


def _point(axes: Axes, start: float, end: float) -> None:
    arrow = {"arrowstyle": "-|>", "color": "black", "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (WIDTH / 2, end), (WIDTH / 2, start), arrowprops=arrow)
