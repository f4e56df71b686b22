"""Draw the flow of images, from the files found to the splits."""

import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from leukoscope.core.counts import write_count
from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, WIDTH

# Inches.
_EDGE = 0.04
_GAP = 0.26
_LINE = 0.18
_PADDING = 0.16
_STEM = 1.1  # horizontal centre of the main column of boxes
_ASIDE = 2.5  # left edge of the boxes of exclusions
_LETTERS = 30  # per line in these


class _Step(NamedTuple):
    words: str
    left_out: str = ""


def draw_flow(data: Mapping[str, Any]) -> Figure:
    """Draw the flow diagram that reporting guidelines ask for: from files to splits, with exclusions.

    Args:
        data: Facts from ``describe_data`` or ``describe_images``.
    """
    steps = _list_steps(data)
    splits = _word_splits(data)
    heights = [max(_measure(step.words), _measure(step.left_out)) for step in steps]
    last = max((_measure(words) for words in splits), default=0.0)
    height = sum(heights) + _GAP * (len(steps) - 1) + 2 * _EDGE + (last + 2 * _GAP if splits else 0)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    top = _EDGE
    for number, step in enumerate(steps):
        if number:
            _point(axes, (_STEM, top - _GAP), (_STEM, top))
        _draw_step(axes, step, top, heights[number])
        top += heights[number] + _GAP
    if splits:
        _draw_splits(axes, splits, top - _GAP, last)
    return figure


def _list_steps(data: Mapping[str, Any]) -> list[_Step]:
    reasons = [f"{reason}: {count:,}" for reason, count in data["quarantined"].items()]
    total = sum(data["quarantined"].values())
    quarantined = _wrap([f"{total:,} quarantined", *reasons]) if reasons else ""
    nowhere = data.get("in_no_split")
    return [
        _Step(f"{write_count(data['found'], 'file')} found", quarantined),
        _Step(f"{write_count(data['accepted'], 'image')} accepted", f"{nowhere:,} in no split" if nowhere else ""),
    ]


def _word_splits(data: Mapping[str, Any]) -> list[str]:
    return [
        f"{split}\n{write_count(facts['images'], 'image')}\n{write_count(facts['groups'], 'group')}"
        for split, facts in data.get("splits", {}).items()
    ]


def _wrap(lines: list[str]) -> str:
    return "\n".join(textwrap.fill(line, _LETTERS) for line in lines)


def _measure(words: str) -> float:
    return _LINE * len(words.splitlines()) + _PADDING if words else 0.0


def _draw_step(axes: Axes, step: _Step, top: float, height: float) -> None:
    middle = top + height / 2
    needed = _measure(step.words)
    _draw_box(axes, step.words, (_EDGE, middle - needed / 2), (2 * (_STEM - _EDGE), needed), colours.BLUE)
    if height > needed:  # extend the line below the box to the next step
        axes.plot([_STEM, _STEM], [middle + needed / 2, top + height], color="black", lw=1)
    if step.left_out:
        needed_aside = _measure(step.left_out)
        _point(axes, (2 * _STEM - _EDGE, middle), (_ASIDE, middle))
        size = (WIDTH - _EDGE - _ASIDE, needed_aside)
        _draw_box(axes, step.left_out, (_ASIDE, middle - needed_aside / 2), size, colours.VERMILION)


def _draw_splits(axes: Axes, splits: list[str], top: float, height: float) -> None:
    """Draw a row of boxes, one per split, below a line with an arrow to each."""
    width = (WIDTH - 2 * _EDGE - _GAP * (len(splits) - 1)) / len(splits)
    middles = [_EDGE + number * (width + _GAP) + width / 2 for number in range(len(splits))]
    fork = top + _GAP
    axes.plot([_STEM, _STEM], [top, fork], color="black", lw=1)
    axes.plot([min(_STEM, middles[0]), max(_STEM, middles[-1])], [fork, fork], color="black", lw=1)
    for middle, words in zip(middles, splits, strict=True):
        _point(axes, (middle, fork), (middle, fork + _GAP))
        _draw_box(axes, words, (middle - width / 2, fork + _GAP), (width, height), colours.BLUE)


def _draw_box(axes: Axes, words: str, corner: tuple[float, float], size: tuple[float, float], colour: str) -> None:
    axes.add_patch(Rectangle(corner, *size, facecolor="white", edgecolor=colour, lw=1.5))
    middle = (corner[0] + size[0] / 2, corner[1] + size[1] / 2)
    axes.text(*middle, words, ha="center", va="center", fontsize=SMALL, linespacing=1.3, parse_math=False)


def _point(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "-|>", "color": "black", "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=arrow)
