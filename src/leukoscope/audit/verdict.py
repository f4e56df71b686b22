"""What the ladder means, in words."""

from typing import Any, Literal, NamedTuple

import pandas as pd

from leukoscope.audit.ladder import PROTOCOLS

Outcome = Literal["alarm", "no alarm", "not judged"]

# Image by image, what tells copies of an image apart from others tells their class too: that raises no alarm.
_STRADDLING = "image"
# They see no whole cell, and raise the alarm.
_BLIND = {
    "background": "the colours of the background",
    "border": "the colours of the outermost frame",
    "corner": "the lower right corner",
}
# They see no cell's form, but how much of the field is stained: how many cells there are.
_FORMLESS = {
    "colour_histogram": "stain colour alone (the field's colours, wherever in it they are)",
    "thumbnail": "a thumbnail of 8 x 8 pixels",
    "file": "the file's size and compression",
}


class Verdict(NamedTuple):
    """What an audit found.

    Attributes:
        outcome: Whether accuracies can be won without cells, as far as could be shown.
        text: The same and more in words, a sentence a line; the last one has the fingerprint of the images.
    """

    outcome: Outcome
    text: str


def judge(ladder: pd.DataFrame, labels: pd.Series, alarm: float, data: str) -> Verdict:
    """Say whether accuracies on these images can be won without cells.

    Args:
        ladder: As ``Ladder.climb`` gives it.
        labels: The true classes, for the share of the largest.
        alarm: How far from that share to 1 a predictor that sees no cell may get, with duplicates held out together.
        data: The fingerprint of the images.
    """
    chance = float(labels.value_counts(normalize=True).iloc[0])
    limit = chance + alarm * (1 - chance)
    blind = _find_strongest(ladder, _BLIND)
    outcome = _decide(blind[blind["protocol"] != _STRADDLING], limit)
    way = f"{alarm:.0%} of the way from the share of the largest class to no error"
    line = {
        "alarm": "ALARM: these classes can be told apart without seeing a cell.",
        "no alarm": f"No alarm: what sees no cell is not shown to get further than {way}.",
        "not judged": "Not judged: nothing that sees no cell could be tried with duplicates held out together.",
    }[outcome]
    lines = [line, *(_report(row, _BLIND, limit) for row in blind.itertuples())]
    lines += [_report(row, _FORMLESS, limit) for row in _find_strongest(ladder, _FORMLESS).itertuples()]
    lines += _judge_networks(ladder)
    lines.append(f"Always naming the largest class reaches {chance:.3f}.")
    lines.append(f"All this is of the images with the fingerprint {data}.")
    return Verdict(outcome, "\n".join(lines) + "\n")


def _decide(blind: pd.DataFrame, limit: float) -> Outcome:
    if blind.empty:
        return "not judged"
    return "alarm" if (blind["low"] > limit).any() else "no alarm"


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
    """Take, for each protocol, that of some predictors whose interval ends highest from below."""
    some = ladder[ladder["predictor"].isin(names)]
    return some.loc[some.groupby("protocol", sort=False)["low"].idxmax()]


def _report(row: Any, names: dict[str, str], limit: float) -> str:
    tail = ""
    if row.low > limit:
        tail = "; an accuracy below that need say nothing about cells" + ("" if names is _BLIND else "' form")
    elif names is _BLIND and row.protocol != _STRADDLING:
        tail = f"; the alarm is at {limit:.3f}"
    who = names[row.predictor]
    return f"{_begin(row.protocol)}: {who} reach{'' if who.startswith('the colours') else 'es'} {_figure(row)}{tail}."


def _judge_networks(ladder: pd.DataFrame) -> list[str]:
    """Tell what trained networks read, under the strictest protocol that left them images."""
    networks = ladder[~ladder["predictor"].isin(_BLIND | _FORMLESS)]
    if networks.empty:
        return ["No trained backbone was there to be judged."]
    lines = []
    for name, rows in networks.groupby("predictor", sort=False):
        row = next(rows.tail(1).itertuples())
        lines.append(
            f"{_begin(row.protocol)}: {name.replace('_', ' ')} of a trained network reach {_figure(row)}, on "
            f"{row.images} images of groups that it had not learned from."
        )
    return [*lines, "Among these images are those of validation, which chose the networks' epochs."]


def _begin(protocol: str) -> str:
    return PROTOCOLS[protocol].capitalize()


def _figure(row: Any) -> str:
    return f"{row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f}; {row.groups} groups)"
