"""What the ladder means, in words."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from leukoscope.audit.ladder import CONTROL, SERIES

Outcome = Literal["alarm", "warning", "no alarm", "not judged"]

# Image by image, what tells copies of an image apart from others tells their class too: that raises nothing.
_STRADDLING = "image"
_TESTED = {
    "image": "Tested on fields of which it may have seen copies",
    "duplicate": "Tested on fields of which it has seen no copy",
    "appearance": "Tested on appearance clusters (fields of nearly the same colours) of which it has seen none",
    "table": "Tested on groups of the user's table (such as patients) of which it has seen none",
}
# They see no whole cell, and can raise the alarm.
_BLIND = {
    "background": "the colours of the background",
    "border": "the colours of the outermost frame",
    "corner": "the lower right corner",
}
# They see no cell's form, but how much of the field is stained: how many cells there are.
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
    """What an audit found.

    Attributes:
        outcome: Whether accuracies can be won without cells, as far as could be shown.
        text: The same and more in words, a sentence a line; the last one has the fingerprint of the images.
    """

    outcome: Outcome
    text: str


class Limits(NamedTuple):
    """Accuracies beyond which an interval has to lie.

    Attributes:
        chance: The share of the largest class.
        warning: From which a program that sees no whole cell raises the warning.
        alarm: From which it raises the alarm, and one that sees no cell's form the warning.
    """

    chance: float
    warning: float
    alarm: float

    @classmethod
    def place(cls, labels: pd.Series, warning: float, alarm: float) -> "Limits":
        """Place the limits by their shares of the way from chance (0) to no error (1)."""
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
    """Say whether accuracies on these images can be won without cells.

    Args:
        ladder: As ``Ladder.climb`` gives it.
        labels: The true classes, for the share of the largest.
        warning: How far from that share to 1 a predictor that sees no cell may get, with duplicates held out together,
            before there is a warning.
        alarm: And before there is an alarm; one that sees how much is stained then raises the warning.
        confidence: Of the intervals.
        data: The fingerprint of the images.
        notes: Sentences on what could not be judged.
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
    """Tell whether an audit is there and was made of these images, not of others or of what they were before.

    Args:
        data: The fingerprint of the images.
        ladder: Of the audit, with a column ``data``, if there is one.
        text: Of its verdict, if there is one.
    """
    if ladder is None or text is None or "data" not in ladder:
        return False
    return bool((ladder["data"].astype(str) == data).all()) and data in text


def _find_strongest(ladder: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Take, for each protocol and embargo, that of some predictors whose interval ends highest from below."""
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
    """Tell what the same program reaches from as many training images without an embargo."""
    same = ladder["embargo"].eq(row.embargo) & ladder["predictor"].eq(row.predictor)
    control = ladder[same.fillna(False) & ladder["protocol"].eq(CONTROL)]
    if row.protocol != SERIES or control.empty:
        return ""
    reached = float(control["accuracy"].iloc[0])
    return f" With as many training images, but some from nearer by, it names {count_fields(reached)} ({reached:.3f})."


def _judge_networks(ladder: pd.DataFrame) -> list[str]:
    """Tell what trained networks read, under the strictest protocol that left them images."""
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
    """Say on what a row of a ladder was tested."""
    if row.protocol != SERIES:
        return _TESTED[row.protocol]
    if not row.embargo:
        return "Tested on runs of file numbers of which it has seen none"
    return f"Tested on fields more than {row.embargo:.0f} file numbers away from all of their class that it has seen"


def count_fields(share: float) -> str:
    """Put a share into words; only what is never wrong is right for all, and only what is never right for none."""
    counted = round(100 * share)
    if counted == 100 * round(share) and 0 < share < 1:
        counted += 1 if share < 0.5 else -1
    return f"{counted} of 100 fields"


def tell_figure(row: Any) -> str:
    """Give a row's accuracy with its interval."""
    return f"{row.accuracy:.3f}; {row.low:.3f} to {row.high:.3f} by {row.groups:,} groups"
