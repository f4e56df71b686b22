"""What the ladder means, in words."""

from typing import Any

import pandas as pd

from leukoscope.audit.ladder import PROTOCOLS

# What accuracies are held against.
COLOUR_BASELINE = "colour_histogram"
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


def judge(ladder: pd.DataFrame, labels: pd.Series, alarm: float) -> tuple[bool, str]:
    """Say whether accuracies on these images can be won without cells.

    Args:
        ladder: As ``Ladder.climb`` gives it.
        labels: The true classes, for the share of the largest.
        alarm: How far from that share to 1 a predictor that sees no cell may get.

    Returns:
        Whether the alarm is raised, and the verdict, a sentence a line.
    """
    chance = float(labels.value_counts(normalize=True).iloc[0])
    limit = chance + alarm * (1 - chance)
    blind = _find_strongest(ladder, _BLIND)
    raised = bool((blind["low"] > limit).any())
    lines = [
        "ALARM: these classes can be told apart without seeing a cell."
        if raised
        else f"No alarm: what sees no cell gets less than {alarm:.0%} of the way from chance to no error."
    ]
    lines += [_report(row, _BLIND, limit) for row in blind.itertuples()]
    lines += [_report(row, _FORMLESS, limit) for row in _find_strongest(ladder, _FORMLESS).itertuples()]
    lines += _judge_networks(ladder)
    lines.append(f"Always naming the largest class reaches {chance:.3f}.")
    return raised, "\n".join(lines) + "\n"


def find_colour_baseline(ladder: pd.DataFrame, protocol: str) -> pd.Series | None:
    """Find what stain colour alone reaches under a protocol, if that was judged.

    Args:
        ladder: As ``Ladder.climb`` gives it.
        protocol: By what images were held out together.
    """
    rows = ladder[(ladder["predictor"] == COLOUR_BASELINE) & (ladder["protocol"] == protocol)]
    return None if rows.empty else rows.iloc[0]


def _find_strongest(ladder: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Take, for each protocol, that of some predictors whose interval ends highest from below."""
    some = ladder[ladder["predictor"].isin(names)]
    return some.loc[some.groupby("protocol", sort=False)["low"].idxmax()]


def _report(row: Any, names: dict[str, str], limit: float) -> str:
    tail = f"the alarm is at {limit:.3f}"
    if row.low > limit:
        tail = "an accuracy below that need say nothing about cells" + ("" if names is _BLIND else "' form")
    who = names[row.predictor]
    return f"{_begin(row.protocol)}: {who} reach{'' if who.startswith('the colours') else 'es'} {_figure(row)}; {tail}."


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
            f"{row.images} images of groups that it had not seen."
        )
    return lines


def _begin(protocol: str) -> str:
    return PROTOCOLS[protocol].capitalize()


def _figure(row: Any) -> str:
    return f"{row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f})"
