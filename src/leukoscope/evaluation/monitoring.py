"""Monitor a deployed model window by window: compare its inputs and outputs with those on its validation images."""

from collections.abc import Hashable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.evaluation.drift import QUANTITIES, Change, average, can_alarm, compare, weigh
from leukoscope.evaluation.opinion_facts import mark_abstained
from leukoscope.images.field_checks import CHECKS

PERIODS = {"day": "D", "week": "W", "month": "M"}
ALARM = "alarm"
NO_CHANGE = "no change shown"
NOT_OVER = "not over"
PARTLY_REMOVED = "partly removed"
FEW_IMAGES = "too few images"
FEW_GROUPS = "too few groups"
FEW_KNOWN = "too few validation images"
JUDGED = (ALARM, NO_CHANGE)
COLUMNS = ["model", "model_fingerprint", "window", "until", "state", "images", "groups", "quantity", "value"]
COLUMNS += ["reference", "distance", "limit", "p", "p_holm", "alarm", "why"]
_WORDS = {
    "certainty": ("less certain", "more certain"),
    "abstained": ("fewer abstentions", "more abstentions"),
    "ood_score": ("more like the training images", "less like the training images"),
}


class Rule(NamedTuple):
    """The settings for judging windows.

    Attributes:
        window: ``day``, ``week`` or ``month``, in UTC.
        group_by: ``request``: images of one request, or of one of several folders, form a group; ``image``: each image
            is a group.
        min_images: Windows with fewer images are not judged.
        false_alarm: How often a window of images like the validation images may raise an alarm.
        judge_unfinished: Whether to judge a window that is not over.
        keep_days: How long opinions are kept: a window that began earlier is partly removed, and not judged; ``None``:
            for ever.
    """

    window: str
    group_by: str
    min_images: int
    false_alarm: float
    judge_unfinished: bool
    keep_days: int | None = None


class Reader(NamedTuple):
    """The reader whose opinions are compared with each other.

    Attributes:
        fingerprint: Fingerprint of the model.
        calibration: Seal of its calibration.
    """

    fingerprint: str
    calibration: str


def judge_windows(
    log: pd.DataFrame,
    validation: Mapping[Reader, pd.DataFrame],
    rule: Rule,
    seed: int,
    now: datetime | None = None,
) -> pd.DataFrame:
    """Compare the opinions of each window with those on the same model's validation images.

    Args:
        log: One row per opinion, from ``OpinionLog.load``.
        validation: For each reader the facts of its validation images, with ``group``; other readers' opinions are
            ignored.
        rule: The settings for judging windows.
        seed: Seed of the permutations; combined with each window's number.
        now: The present time by default.

    Returns:
        One row per model, window and quantity, with ``COLUMNS``: ``window`` and ``until`` are its first and last day;
        ``state`` describes the whole window, ``alarm`` the quantity, missing if not judged; ``value`` and ``reference``
        are the mean certainty, the share of abstentions, and the median out-of-distribution score.
    """
    rows = [
        row
        for reader, reference in validation.items()
        for row in _judge_reader(select_own(log, reader), reference, rule, seed, now or datetime.now(UTC))
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"alarm": "boolean", **dict.fromkeys(("value", "reference", "distance", "limit"), float)})


def select_own(log: pd.DataFrame, reader: Reader) -> pd.DataFrame:
    """Select the opinions of one reader; opinions that agree in all numbers are of the same image, and count once."""
    opinions = log[(log["model_fingerprint"] == reader.fingerprint) & (log["calibration"] == reader.calibration)]
    measured = [name for name in opinions if name.startswith(("check_", "distance_"))]
    return opinions.drop_duplicates(["certainty", "ood_score", *measured])


def _judge_reader(
    opinions: pd.DataFrame, reference: pd.DataFrame, rule: Rule, seed: int, now: datetime
) -> Iterator[dict[str, Any]]:
    measured = [name for name in reference if name.startswith(("check_", "distance_"))]
    # An earlier version may have measured something else.
    opinions = opinions.reindex(
        columns=[*opinions.columns, *(name for name in measured if name not in opinions)]
    ).dropna(subset=measured)
    read_at = pd.to_datetime(opinions["read_at"], utc=True).dt.tz_localize(None)
    for period, images in opinions.groupby(read_at.dt.to_period(PERIODS[rule.window])):
        facts = _complete(images, images["together"], rule)
        known = _complete(reference, reference["group"], rule)
        today = pd.Timestamp(now).tz_convert("UTC").tz_localize(None)
        is_cut = rule.keep_days is not None and period.start_time < today - pd.Timedelta(days=rule.keep_days)
        counts = len(facts), facts["group"].nunique()
        state = PARTLY_REMOVED if is_cut else _find_state(*counts, known, rule, period.end_time < today)
        changes = compare(known, facts, rule.false_alarm, [seed, period.ordinal]) if state == NO_CHANGE else {}
        if any(change.alarm for change in changes.values()):
            state = ALARM
        about = {"model": images["model"].iloc[-1], "model_fingerprint": images["model_fingerprint"].iloc[-1]}
        about |= {"window": str(period.start_time.date()), "until": str(period.end_time.date()), "state": state}
        about |= {"images": len(facts), "groups": facts["group"].nunique()}
        for name in QUANTITIES:
            summary = {"quantity": name, "value": _summarise(name, facts), "reference": _summarise(name, known)}
            yield about | summary | _describe(name, changes.get(name))


def _complete(facts: pd.DataFrame, groups: pd.Series, rule: Rule) -> pd.DataFrame:
    """Add the columns that follow from the facts; without a known or wanted group, each image is its own group."""
    alone = [f"alone-{number}" for number in range(len(facts))]
    group = (
        pd.Series(alone, facts.index)
        if rule.group_by == "image"
        else groups.astype(object).fillna(pd.Series(alone, facts.index))
    )
    return facts.assign(group=group, abstained=mark_abstained(facts))


def _find_state(images: int, groups: int, known: pd.DataFrame, rule: Rule, is_over: bool) -> str:
    if not is_over and not rule.judge_unfinished:
        return NOT_OVER
    if images < rule.min_images:
        return FEW_IMAGES
    if len(known) < rule.min_images:
        return FEW_KNOWN
    return NO_CHANGE if can_alarm(known["group"].nunique(), groups, rule.false_alarm) else FEW_GROUPS


def _summarise(name: str, facts: pd.DataFrame) -> float:
    if name == "ood_score":
        return float(facts[name].median())
    return float(average(facts[[name]], weigh(facts)).iloc[0]) if name in ("certainty", "abstained") else np.nan


def _describe(name: str, change: Change | None) -> dict[str, Any]:
    if change is None:
        return {"alarm": pd.NA, "why": ""}
    figures: dict[Hashable, Any] = {key: getattr(change, key) for key in ("distance", "limit", "p", "p_holm", "alarm")}
    return {str(key): value for key, value in figures.items()} | {"why": _say(name, change) if change.alarm else ""}


def _say(name: str, change: Change) -> str:
    """Describe the largest change in words."""
    if name == "stain":
        check = next(check for check in CHECKS if f"check_{check.name}" == change.column)
        return check.above if change.is_more else check.below
    if name == "features":
        away = "further from" if change.is_more else "nearer to"
        return f"{away} the training images of {change.column.removeprefix('distance_')}"
    if name == "classes":
        return f"more {change.column}"
    return _WORDS[name][change.is_more]


class Verdict(NamedTuple):
    """The verdict on the last window.

    Attributes:
        is_alarm: Whether the window has an alarm.
        text: The verdict as a sentence.
    """

    is_alarm: bool
    text: str


def select_last(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the last judged window; empty if none was judged."""
    judged = table[table["state"].isin(JUDGED)]
    return judged[judged["window"] == judged["window"].max()]


def summarise_alarms(table: pd.DataFrame) -> dict[str, float]:
    """Count windows and alarms, and return each quantity's corrected p in the last one, the smallest over models."""
    windows = table.drop_duplicates(["model_fingerprint", "window"])
    last = select_last(table)
    figures = {"monitoring_windows": float(windows["state"].isin(JUDGED).sum())}
    figures |= {"monitoring_alarms": float((windows["state"] == ALARM).sum())}
    figures |= {"monitoring_last_alarm": float((last["state"] == ALARM).any())}
    least = last.groupby("quantity")["p_holm"].min()
    return figures | {f"monitoring_p_{name}": float(least[name]) for name in QUANTITIES if name in least}


def say_verdict(table: pd.DataFrame, window: str) -> Verdict:
    """Describe the last judged window in a sentence.

    Args:
        table: The table from ``judge_windows``.
        window: ``day``, ``week`` or ``month``.
    """
    last = select_last(table)
    if last.empty:
        newest = table[table["window"] == table["window"].max()].iloc[0] if len(table) else None
        why = "" if newest is None else f": that from {newest['window']} has {count_of(newest['images'], 'image')}"
        why += "" if newest is None else f" ({newest['state']})"
        return Verdict(False, f"No {window} could be judged so far{why}.")
    images = count_of(last.drop_duplicates("model")["images"].sum(), "image")
    when = f"In the {window} from {last['window'].iloc[0]}, of {images},"
    changed = last[last["alarm"].fillna(False).astype(bool)]
    if changed.empty:
        return Verdict(False, f"{when} no difference from the validation images was shown.")
    named = "; ".join(f"{QUANTITIES[row.quantity].title} ({row.why})" for row in changed.itertuples())
    return Verdict(True, f"{when} something differs from the validation images: {named}.")
