"""The results of a run, for a terminal."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from leukoscope.core.drawn import warn_of_images

_HEADER = ("model", "test accuracy", "macro F1", "AUC", "input", "epochs", "s/epoch")


def tabulate_results(comparison: pd.DataFrame, colour_baseline: dict[str, Any] | None) -> str:
    """Make a table of the models that were judged on the present test images, and say what these are worth.

    Args:
        comparison: One row a model.
        colour_baseline: What stain colour alone reaches on the present test images; ``None`` where it was not judged:
            then all rows are shown.

    Returns:
        Lines of text: a header, a row a model, one of stain colour, and a warning where images were drawn.
    """
    if colour_baseline is not None:
        comparison = comparison[comparison["splits"] == colour_baseline["splits"]]
    rows: list[Sequence[str]] = [_describe(row) for row in comparison.to_dict("records")]
    if colour_baseline is not None:
        accuracy = _say_share(*(colour_baseline[name] for name in ("accuracy", "low", "high")))
        rows.append(("stain colour alone", accuracy, *[""] * (len(_HEADER) - 2)))
    drawn = comparison[["drawn_images", "accepted_images"]].drop_duplicates()
    warnings = [warn_of_images(_count(row.drawn_images), int(row.accepted_images)) for row in drawn.itertuples()]
    return "\n".join([*_align([_HEADER, *rows]), *filter(None, warnings)])


def _describe(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["title"],
        _say_share(*(row.get(f"test_accuracy{end}") for end in ("", "_low", "_high"))),
        _say(row["test_macro_f1"], ".2f"),
        _say(row["test_auc"], ".2f"),
        _say(row.get("input_size"), ".0f"),
        _say(row.get("epochs"), ".0f"),
        _say(row.get("seconds_per_epoch"), ".1f"),
    )


def _say_share(value: float | None, low: float | None, high: float | None) -> str:
    return _say(value, ".2f") + (f" ({low:.2f} to {high:.2f})" if pd.notna(low) else "")


def _say(value: float | None, how: str) -> str:
    return "-" if pd.isna(value) else format(value, how)


def _count(value: float | None) -> int | None:
    return None if pd.isna(value) else int(value)  # type: ignore[arg-type]


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad every column to its widest cell; all but the first two to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
