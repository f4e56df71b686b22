"""The results of a run, as text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.core.drawn import warn_of_images
from leukoscope.core.durations import say_duration

_HEADER = ("model", "test accuracy", "macro F1", "AUC", "than stain colour", "training")


def tabulate_results(
    comparison: pd.DataFrame, colour_baseline: Mapping[str, Any] | None, differences: pd.DataFrame | None = None
) -> str:
    """Format a table of the models evaluated on the present test images, with reference results to judge them by.

    Args:
        comparison: One row per model.
        colour_baseline: Results of stain colour alone on the present test images; ``None`` if it was not evaluated:
            then all rows are shown.
        differences: One row per pair of models, and of each model with stain colour.

    Returns:
        Lines of text: a header, a row per model, one for stain colour, and a warning if images were drawn.
    """
    comparison = keep_present(comparison, colour_baseline)
    rows: list[Sequence[str]] = [_describe(row, differences) for row in comparison.to_dict("records")]
    if colour_baseline is not None:
        accuracy = say_share(*(colour_baseline[name] for name in ("accuracy", "low", "high")))
        rows.append(("stain colour alone", accuracy, *[""] * (len(_HEADER) - 2)))
    return "\n".join([*_align([_HEADER, *rows]), *warn_of_drawn(comparison)])


def keep_present(comparison: pd.DataFrame, colour_baseline: Mapping[str, Any] | None) -> pd.DataFrame:
    """Keep the models evaluated on the same test images as stain colour; all if stain colour was not evaluated."""
    return comparison if colour_baseline is None else comparison[comparison["splits"] == colour_baseline["splits"]]


def judge_gain(model: str, differences: pd.DataFrame | None) -> str:
    """Describe whether a model is shown to be better than stain colour alone; a dash if that was not tested."""
    if differences is None:
        return "-"
    pairs = differences[(differences["first"] == model) & (differences["second"] == COLOUR_BASELINE)]
    if pairs.empty:
        return "-"
    pair = pairs.iloc[0]
    return ("better" if pair["difference"] > 0 else "worse") if pair["shown"] else "not shown"


def _describe(row: dict[str, Any], differences: pd.DataFrame | None) -> tuple[str, ...]:
    return (
        row["title"],
        say_share(*(row.get(f"test_accuracy{end}") for end in ("", "_low", "_high"))),
        say_figure(row["test_macro_f1"], ".2f"),
        say_figure(row["test_auc"], ".2f"),
        judge_gain(row.get("model", ""), differences),
        _say_time(row.get("epochs"), row.get("seconds_per_epoch")),
    )


def warn_of_drawn(comparison: pd.DataFrame) -> list[str]:
    """Return the warnings about the models' images, without repetition.

    Args:
        comparison: One row per model.
    """
    drawn = comparison[["drawn_images", "accepted_images"]].drop_duplicates()
    warnings = [warn_of_images(_count(row.drawn_images), int(row.accepted_images)) for row in drawn.itertuples()]
    return [words for words in warnings if words]


def say_share(value: float | None, low: float | None, high: float | None, *, how: str = ".2f") -> str:
    """Format a share with the ends of its interval, if it has one."""
    return say_figure(value, how) + (f" ({low:{how}} to {high:{how}})" if pd.notna(low) else "")


def say_figure(value: float | None, how: str) -> str:
    """Format a number; a dash if it is not known."""
    return "-" if pd.isna(value) else format(value, how)


def _say_time(epochs: float | None, seconds: float | None) -> str:
    if pd.isna(epochs) or pd.isna(seconds):
        return "-"
    return say_duration(epochs * seconds)  # type: ignore[operator]


def _count(value: float | None) -> int | None:
    return None if pd.isna(value) else int(value)  # type: ignore[arg-type]


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad each column to its widest cell; left-align the first two columns and right-align the others."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
