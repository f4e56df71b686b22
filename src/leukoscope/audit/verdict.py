"""The meaning of the ladder in words."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from leukoscope.audit.ladder import CONTROL, SERIES

Outcome = Literal["alarm", "warning", "no alarm", "not judged"]

# If copies of a tested image are trained on, recognising the copies reveals the class, so this protocol is ignored.
_STRADDLING = "image"
_TESTED = {
    "image": "Tested on fields of which it may have seen copies",
    "duplicate": "Tested on fields of which it has seen no copy",
    "appearance": "Tested on appearance clusters (fields of nearly the same colours) of which it has seen none",
    "table": "Tested on groups of the user's table (such as patients) of which it has seen none",
}
# Predictors that see no whole cell, and can raise the alarm.
_BLIND = {
    "background": "the colours of the background",
    "border": "the colours of the outermost frame",
    "corner": "the lower right corner",
}
# Predictors that see no cell's form, but see how much of the field is stained, and so the number of cells.
_FORMLESS = {
    "colour_histogram": "stain colour (the field's colours, wherever in it they are)",
    "thumbnail": "a thumbnail of 8 x 8 pixels",
    "hue_band": "one number, how much of the field is blue-violet",
    "file": "the file's size and compression",
}
_FIRST_LINES = {
    "alarm": "ALARM: these classes can be told apart without seeing a cell.",
    "warning": "WARNING: a program that sees no cell's form does clearly better than chance on these images.",
    "no alarm": "No alarm: no program that sees no cell's form was shown to do much better than chance.",
    "not judged": "Not judged: nothing that sees no cell could be tried with duplicates held out together.",
}


class Verdict(NamedTuple):
    """The verdict of an audit.

    Attributes:
        outcome: Whether it was shown that accuracies can be reached without cells.
        text: The outcome and more in words, one sentence per line; the last line has the fingerprint of the images.
    """

    outcome: Outcome
    text: str


class Limits(NamedTuple):
    """Accuracies that the lower end of an interval must exceed.

    Attributes:
        chance: The share of the largest class.
        warning: The limit above which a predictor that sees no whole cell raises the warning.
        alarm: The limit above which it raises the alarm, and a predictor that sees no cell's form the warning.
    """

    chance: float
    warning: float
    alarm: float

    @classmethod
    def place(cls, labels: pd.Series, warning: float, alarm: float) -> "Limits":
        """Compute the limits from their shares of the way from chance (0) to no error (1)."""
        chance = float(labels.value_counts(normalize=True).iloc[0])
        return cls(chance, *(chance + share * (1 - chance) for share in (warning, alarm)))


def judge(
    ladder: pd.DataFrame,
    labels: pd.Series,
    warning: float,
    alarm: float,
    confidence: float,
    data: str,
    notes: Sequence[str] = (),
) -> Verdict:
    """Judge whether accuracies on these images can be reached without cells.

    Args:
        ladder: The result of ``Ladder.climb``.
        labels: The true classes, for the share of the largest class.
        warning: How far on the way from that share to 1 a predictor that sees no cell may get, with duplicates held out
            together, before a warning is raised.
        alarm: The same for an alarm; beyond it, a predictor that sees how much is stained raises the warning.
        confidence: The confidence of the intervals.
        data: The fingerprint of the images.
        notes: Sentences about what could not be judged.
    """
    limits = Limits.place(labels, warning, alarm)
    blind, formless = (_find_strongest(ladder, names) for names in (_BLIND, _FORMLESS))
    outcome = _decide(blind, formless, limits)
    lines = [_FIRST_LINES[outcome]]
    for rows, names in ((blind, _BLIND), (formless, _FORMLESS)):
        lines += [_report(row, names, limits, ladder) for row in rows.itertuples()]
    lines += [*_judge_networks(ladder), *notes]
    lines.append(f"Always naming the largest class is right for {count_fields(limits.chance)} ({limits.chance:.3f}).")
    lines.append(
        f"The warning begins at {limits.warning:.3f} and the alarm at {limits.alarm:.3f}, {warning:.0%} and "
        f"{alarm:.0%} of the way from there to no error; the lower end of an interval counts."
    )
    lines.append(f"Intervals are at {confidence:.0%}, by a beta-binomial posterior by groups.")
    lines.append(f"All this is of the images with the fingerprint {data}.")
    return Verdict(outcome, "\n".join(lines) + "\n")


def _decide(blind: pd.DataFrame, formless: pd.DataFrame, limits: Limits) -> Outcome:
    blind, formless = (rows[rows["protocol"] != _STRADDLING] for rows in (blind, formless))
    if blind.empty:
        return "not judged"
    if (blind["low"] > limits.alarm).any():
        return "alarm"
    return "warning" if (blind["low"] > limits.warning).any() or (formless["low"] > limits.alarm).any() else "no alarm"


def is_of(data: str, ladder: pd.DataFrame | None, text: str | None) -> bool:
    """Return whether there is an audit of exactly these images, not of others or of earlier versions.

    Args:
        data: The fingerprint of the images.
        ladder: The ladder of the audit, with a column ``data``, if there is one.
        text: The text of its verdict, if there is one.
    """
    if ladder is None or text is None or "data" not in ladder:
        return False
    return bool((ladder["data"].astype(str) == data).all()) and data in text


def _find_strongest(ladder: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Select for each protocol and embargo the predictor whose interval has the highest lower end."""
    some = ladder[ladder["predictor"].isin(names) & (ladder["protocol"] != CONTROL)]
    ordered = some.sort_values("low", kind="stable", na_position="first")
    return ordered.groupby(["protocol", "embargo"], dropna=False).tail(1).sort_index()


def _report(row: Any, names: dict[str, str], limits: Limits, ladder: pd.DataFrame) -> str:
    tail = ""
    if row.low > limits.alarm:
        what = "cells" if names is _BLIND else "their shape"
        tail = f"; a network that does no better need not have looked at {what}"
    program = (
        f"a program that looks only at {names[row.predictor]} names the right class of {count_fields(row.accuracy)}"
    )
    return f"{tell_test(row)}: {program} ({tell_figure(row)}){tail}.{_compare(row, ladder)}"


def _compare(row: Any, ladder: pd.DataFrame) -> str:
    """Describe what the same predictor reaches with as many training images but without an embargo."""
    same = ladder["embargo"].eq(row.embargo) & ladder["predictor"].eq(row.predictor)
    control = ladder[same.fillna(False) & ladder["protocol"].eq(CONTROL)]
    if row.protocol != SERIES or control.empty:
        return ""
    reached = float(control["accuracy"].iloc[0])
    return f" With as many training images, but some from nearer by, it names {count_fields(reached)} ({reached:.3f})."


def _judge_networks(ladder: pd.DataFrame) -> list[str]:
    """Describe the accuracy of trained networks' features, under the strictest protocol that left them images."""
    networks = ladder[~ladder["predictor"].isin(_BLIND | _FORMLESS)]
    if networks.empty:
        return ["No trained model was there to be judged."]
    lines = []
    for name, rows in networks.groupby("predictor", sort=False):
        row: Any = next(rows.tail(1).itertuples())
        lines.append(
            f"{tell_test(row)}: a program that looks only at the {name.replace('_', ' ')} of a trained network names "
            f"the right class of {count_fields(row.accuracy)} ({tell_figure(row)}), on {row.images:,} images of groups "
            "that the network had not learned from."
        )
    return [*lines, "Among these images are those of validation, which chose the networks' epochs."]


def tell_test(row: Any) -> str:
    """Describe what a row of a ladder was tested on."""
    if row.protocol != SERIES:
        return _TESTED[row.protocol]
    if not row.embargo:
        return "Tested on runs of file numbers of which it has seen none"
    return f"Tested on fields more than {row.embargo:.0f} file numbers away from all of their class that it has seen"


def count_fields(share: float) -> str:
    """Express a share in words, as 0 or 100 of 100 only if it is exactly 0 or 1."""
    counted = round(100 * share)
    if counted == 100 * round(share) and 0 < share < 1:
        counted += 1 if share < 0.5 else -1
    return f"{counted} of 100 fields"


def tell_figure(row: Any) -> str:
    """Format a row's accuracy with its interval."""
    return f"{row.accuracy:.3f}; {row.low:.3f} to {row.high:.3f} by {row.groups:,} groups"
