"""Draw the agreement of readers with each other and with the model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukoscope.figures import colours
from leukoscope.figures.canvas import SMALL, as_numbers, make_figure, measure_row, open_frame, wrap_names, write_values
from leukoscope.figures.glyphs import describe_plainly, list_families, name_plainly

_STYLES = {"blind": (colours.BLUE, "s"), "revised": (colours.ORANGE, "o"), "unblinded": (colours.GREY, "D")}
_WORDS = {
    "blind": "before the opinion was seen",
    "revised": "after it was seen",
    "unblinded": "seen from the start",
}
_MOST_PAIRS = 15
_LONGEST = 36  # letters of a name
_KEY_LINE = 0.17  # inches


class _Row(NamedTuple):
    name: str
    phase: str
    ends: tuple[float | None, float | None, float | None]


def draw_agreement(models: Sequence[Mapping[str, Any]], for_page: bool = False) -> Figure:
    """Draw agreement coefficients with their intervals, a row each: alpha for all readers, kappa for pairs.

    Args:
        models: Each model with the metrics of its reviews, and those of its ``study``.
        for_page: Whether a browser renders the text, which finds fonts for all characters. In a picture, a name with
            characters missing from the installed fonts is replaced by a number, explained in a line below.
    """
    readers = _list_readers(models)
    plain = {} if for_page else name_plainly(readers, "reader")
    short = {name: plain.get(name, _shorten(name)) for name in readers}
    rows = [
        row for model in models for row in _list_rows(model, f"{model['model']}: " if len(models) > 1 else "", short)
    ]
    names = wrap_names([row.name for row in rows])
    figure = make_figure(measure_row(names, 0.3) * len(rows) + 1.2 + _KEY_LINE * len(plain))
    axes: Axes = figure.subplots()
    axes.axvline(0, color="grey", lw=1, ls=":")
    for phase, (colour, marker) in _STYLES.items():
        shown = [(height, row.ends) for height, row in enumerate(rows) if row.phase == phase]
        if shown:
            heights = np.array([height for height, _ in shown])
            value, low, high = (as_numbers(ends) for ends in zip(*(ends for _, ends in shown), strict=True))
            axes.hlines(heights, low, high, colour, lw=2)
            axes.plot(value, heights, marker, color=colour, ms=6, label=_WORDS[phase])
    write_values(axes, range(len(rows)), [row.ends[0] for row in rows], ".2f")
    axes.set_yticks(range(len(rows)), names, fontsize=SMALL, fontfamily=list_families(), parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(right=1.02)
    words = "\n".join(filter(None, ["agreement beyond chance", describe_plainly(plain)]))
    axes.set_xlabel(words, fontfamily=list_families(), parse_math=False)
    axes.grid(axis="x", alpha=0.3)
    open_frame(axes)
    figure.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=SMALL)
    return figure


def _list_readers(models: Sequence[Mapping[str, Any]]) -> list[str]:
    studied = [facts["each"] for model in models for facts in model["study"]["phases"].values()]
    return sorted({reader["reviewer"] for each in studied for reader in each})


def _shorten(name: str) -> str:
    """Cut a name that would make all rows high; the tables have it whole."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _list_rows(model: Mapping[str, Any], prefix: str, short: Mapping[str, str]) -> Iterator[_Row]:
    phases = model["study"]["phases"]
    if not phases:  # readers without names
        yield _Row(f"{prefix}all reviews and the model", "unblinded", _get_ends(model["all"], "cohen_kappa"))
    for phase, facts in phases.items():
        if facts["readers"] > 1:
            yield _Row(f"{prefix}all readers", phase, _get_ends(facts, "krippendorff_alpha"))
    for phase, facts in phases.items():
        for pair in facts["pairs"] if len(facts["pairs"]) <= _MOST_PAIRS else ():
            first, second = (short.get(pair[name], pair[name]) for name in ("first", "second"))
            yield _Row(f"{prefix}{first} and {second}", phase, _get_ends(pair, "cohen_kappa"))
    for phase, facts in phases.items():
        for reader in facts["each"]:
            yield _Row(
                f"{prefix}{short[reader['reviewer']]} and the model", phase, _get_ends(reader["model"], "cohen_kappa")
            )


def _get_ends(figures: Mapping[str, Any], name: str) -> tuple[float | None, float | None, float | None]:
    return figures[name], figures[f"{name}_low"], figures[f"{name}_high"]
