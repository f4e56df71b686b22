"""The meaning of the mirror in words."""

from typing import Any

import pandas as pd

from leukoscope.audit.ladder import CONTROL
from leukoscope.audit.verdict import Limits, count_fields, tell_figure, tell_test

_FEWEST_GROUPS = 2
_SEEN = {
    "cell_number": "how many cells there are and how large they are on average",
    "cell_form": "the form of the cells",
    "cell_texture": "the texture of the cells (in grey)",
    "grey_cells": "patterns and brightness within the cells (in grey)",
    "without_cells": "the colours of what is no cell",
}


def describe_mirror(ladder: pd.DataFrame, blanked: pd.DataFrame, limits: Limits, confidence: float, data: str) -> str:
    """Describe what cells alone reveal, and what networks know without them.

    Args:
        ladder: The result of ``Ladder.climb`` for predictors that see only cells, or everything but cells.
        blanked: One row per network, in the format of ``tabulate_blanked``.
        limits: The share of the largest class, and the accuracies above it that count.
        confidence: The confidence of the intervals.
        data: The fingerprint of the images.
    """
    lines = [] if len(ladder) else ["Not judged: there is one class alone, or too few groups to divide."]
    for name, rows in ladder[ladder["protocol"] != CONTROL].groupby("predictor", sort=False):
        row: Any = next(rows.tail(1).itertuples())
        lines.append(
            f"{tell_test(row)}: a program that looks only at {_SEEN[str(name)]} names the right class of "
            f"{count_fields(row.accuracy)} ({tell_figure(row)})."
        )
    lines += [_judge_network(row, limits) for row in blanked.itertuples()]
    if blanked.empty:
        lines.append("No trained model was there to be shown fields without their cells.")
    lines.append(f"Always naming the largest class is right for {count_fields(limits.chance)} ({limits.chance:.3f}).")
    lines.append(f"Intervals are at {confidence:.0%}, by a beta-binomial posterior by groups.")
    lines.append(f"All this is of the images with the fingerprint {data}.")
    return "\n".join(lines) + "\n"


def _judge_network(row: Any, limits: Limits) -> str:
    if row.groups < _FEWEST_GROUPS:
        return f"{row.title}: its test images are of {row.groups} group, of which no interval can be given."
    meaning = "it was not shown to know much of the class without them"
    if row.low > limits.alarm:
        meaning = "it knows the class without seeing a cell"
    elif row.low > limits.warning:
        meaning = "it knows much of the class without seeing a cell"
    return (
        f"{row.title} names the right class of {count_fields(row.accuracy)}, and with the cells painted over of "
        f"{count_fields(row.blanked)} ({row.blanked:.3f}; {row.low:.3f} to {row.high:.3f} by {row.groups:,} groups "
        f"of its {row.images:,} test images in which cells were found): {meaning}."
    )
