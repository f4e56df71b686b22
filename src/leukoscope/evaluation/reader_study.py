"""Reader study: agreement among readers and with the model, labels and earlier readings, before and after opinions."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukoscope.evaluation.agreement import NOT_ASSESSABLE
from leukoscope.evaluation.inter_rater import MISSING, estimate_agreement, estimate_pair, number_classes
from leukoscope.evaluation.intervals import Estimate, estimate_share
from leukoscope.evaluation.readings import BLIND, PHASES, REVISED, Known, arrange, read_times, select_first


class Precision(NamedTuple):
    """Settings for the precision of the estimates.

    Attributes:
        resamples: Number of bootstrap draws of fields, or of groups of fields.
        confidence: Confidence level of the intervals.
        seed: Seed of the bootstrap.
    """

    resamples: int
    confidence: float
    seed: int


class Study(NamedTuple):
    """The data and settings of a reader study.

    Attributes:
        readings: The counted readings with one model.
        known: Labels and groups of fields.
        names: The classes.
        benign: The numbers of the benign classes.
        precision: Settings of the estimates.
    """

    readings: pd.DataFrame
    known: Known
    names: tuple[str, ...]
    benign: tuple[int, ...]
    precision: Precision

    def arrange(self, readings: pd.DataFrame, readers: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """Arrange readings as class numbers, ``[fields, readers]``, and return them with the fields."""
        fields = readings["sha256"].unique().tolist()
        return arrange(readings, readers, fields, self.names), fields

    def is_malignant(self, classes: np.ndarray) -> np.ndarray:
        """Return which class numbers are of a malignant class."""
        return ~np.isin(classes, self.benign)


def describe_phase(study: Study, phase: str) -> dict[str, Any] | None:
    """Measure the agreement of readers in a phase, with each other, the model and the labels.

    Returns:
        Counts of ``readers`` and ``fields``; the figures of ``estimate_agreement`` for all readers together; ``pairs``
        of readers; and ``each`` reader. ``None`` if the phase has no readings.
    """
    readings = select_first(study.readings, phase)
    if readings.empty:
        return None
    readers = sorted(readings["reviewer"].unique())
    ratings, fields = study.arrange(readings, readers)
    groups = study.known.group(fields)
    classes = len(study.names)
    facts: dict[str, Any] = {"readers": len(readers), "fields": len(fields), "groups": len(np.unique(groups))}
    facts["read_by_two"] = int(((ratings != MISSING).sum(axis=1) > 1).sum())
    facts |= _flatten(estimate_agreement(ratings, classes, groups, *study.precision))
    facts["pairs"] = [
        {"first": readers[first], "second": readers[second]}
        | _pair(study, ratings[:, first], ratings[:, second], groups)
        for first, second in combinations(range(len(readers)), 2)
    ]
    facts["each"] = [_describe_reader(study, readings[readings["reviewer"] == reader]) for reader in readers]
    return facts


def _pair(study: Study, first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    both = int(((first != MISSING) & (second != MISSING)).sum())
    return {"fields": both} | _flatten(estimate_pair(first, second, len(study.names), groups, *study.precision))


def _describe_reader(study: Study, readings: pd.DataFrame) -> dict[str, Any]:
    fields = readings["sha256"].tolist()
    answers, model = (number_classes(readings[name], study.names) for name in ("reviewer_class", "likeliest"))
    groups = study.known.group(fields)
    return {
        "reviewer": readings["reviewer"].iloc[0],
        "fields": len(fields),
        "not_assessable": int((readings["verdict"] == NOT_ASSESSABLE).sum()),
        "seconds": _median(readings["seconds"]),
        "model": _pair(study, answers, model, groups),
        "label": _judge(study, answers, study.known.label(fields, study.names), groups),
    }


def _judge(study: Study, answers: np.ndarray, label: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Compare answers with labels, on the fields that have both."""
    both = (answers != MISSING) & (label != MISSING)
    answers = answers[both]
    label = label[both]
    groups = groups[both]
    malignant = study.is_malignant(label)
    calls = study.is_malignant(answers)
    chosen = {
        "accuracy": (answers == label, np.ones(len(answers), bool)),
        "sensitivity": (calls, malignant),
        "specificity": (~calls, ~malignant),
    }
    confidence = study.precision.confidence
    figures = {name: estimate_share(hits[of], groups[of], confidence) for name, (hits, of) in chosen.items()}
    return {"fields": len(answers)} | _flatten(figures)


def describe_rounds(study: Study) -> list[dict[str, Any]]:
    """Measure the agreement of each reader with their own reading, between the first two rounds of a phase.

    Returns:
        One row per reader and phase with two rounds: ``reviewer``, ``phase``, the median ``days`` between them, and the
        figures of ``estimate_pair``.
    """
    rows = []
    for (reader, phase), readings in study.readings.groupby(["reviewer", "phase"]):
        ordered = readings.sort_values("round", kind="stable").groupby("sha256")
        first = ordered.nth(0).set_index("sha256")
        second = ordered.nth(1).set_index("sha256")
        if second.empty:
            continue
        first = first.loc[second.index]
        before, after = (number_classes(reviews["reviewer_class"], study.names) for reviews in (first, second))
        days = _median((read_times(second) - read_times(first)).dt.total_seconds() / 86400)
        figures = _pair(study, before, after, study.known.group(second.index.tolist()))
        rows.append({"reviewer": reader, "phase": phase, "days": days} | figures)
    return rows


def describe_changes(study: Study) -> list[dict[str, Any]]:
    """Count what readers changed after seeing the opinion, one row per reader.

    Returns:
        ``reviewer``; ``fields`` (read blind and revised, assessable both times); how many of these ``changed``, and of
        those ``towards_model`` (to its likeliest class) and ``away_from_model``; of fields with a ``label``, how many
        became ``right`` or ``wrong``; on how many the model was wrong and the reader right (``misled_of``), and in how
        many of these the reader then followed it (``misled``); and the median ``seconds`` before and after.
    """
    blind, revised = (study.readings[study.readings["phase"] == phase] for phase in (BLIND, REVISED))
    same = ["reviewer", "sha256", "round"]
    both = blind.merge(revised, on=same, suffixes=("_before", "")).drop_duplicates(same[:2])
    return [_count_changes(study, str(reader), rows) for reader, rows in both.groupby("reviewer")]


def _count_changes(study: Study, reader: str, rows: pd.DataFrame) -> dict[str, Any]:
    columns = ("reviewer_class_before", "reviewer_class", "likeliest")
    before, after, model = (number_classes(rows[name], study.names) for name in columns)
    label = study.known.label(rows["sha256"].tolist(), study.names)
    read = (before != MISSING) & (after != MISSING)
    changed = read & (before != after)
    labelled = read & (label != MISSING)
    could_mislead = labelled & (before == label) & (model != label)
    counts = {
        "fields": read,
        "changed": changed,
        "towards_model": changed & (after == model),
        "away_from_model": changed & (before == model),
        "labelled": labelled,
        "became_right": labelled & (before != label) & (after == label),
        "became_wrong": labelled & (before == label) & (after != label),
        "misled_of": could_mislead,
        "misled": could_mislead & (after == model),
    }
    seconds = {"seconds_before": _median(rows["seconds_before"]), "seconds_after": _median(rows["seconds"])}
    return {"reviewer": reader} | {name: int(chosen.sum()) for name, chosen in counts.items()} | seconds


def describe_phases(study: Study) -> dict[str, Any]:
    """Return ``describe_phase`` for each phase with readings."""
    phases = {phase: describe_phase(study, phase) for phase in PHASES}
    return {phase: facts for phase, facts in phases.items() if facts is not None}


def _median(values: pd.Series) -> float | None:
    known = values.dropna().astype(float)
    return float(known.median()) if len(known) else None


def _flatten(estimates: dict[str, Estimate]) -> dict[str, float | None]:
    figures = {key: value for name, estimate in estimates.items() for key, value in estimate.tabulate(name).items()}
    return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}
