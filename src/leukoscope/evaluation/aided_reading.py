"""Compare readers with and without the model's opinion on the same fields: a multi-reader multi-case (MRMC) study."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.evaluation import figures_of_merit, mrmc
from leukoscope.evaluation.inter_rater import MISSING
from leukoscope.evaluation.intervals import Estimate
from leukoscope.evaluation.reader_study import Study
from leukoscope.evaluation.readings import BLIND, REVISED, UNBLINDED, arrange

SEQUENTIAL = "sequential"
CROSSED = "crossed"
# The phase of the reading with the opinion; the reading without it is blind.
_WITH = {SEQUENTIAL: REVISED, CROSSED: UNBLINDED}
_PER_KIND = 2  # fewer fields of a kind give no variance
_KINDS = {"sensitivity": (True,), "specificity": (False,)}


def describe_aided(study: Study) -> list[dict[str, Any]]:
    """Compare readings with and without the opinion, in each design that was used.

    In the sequential design, the reader revises the same reading after seeing the opinion; in the crossed design, the
    reader reads a field blind in one round and with the opinion in another. Only labelled fields that all readers read
    both ways count; if that leaves too few, the readers with the fewest readings are left out.

    Returns:
        One row per design with at least two readers: ``design``, ``readers``, ``left_out``, ``fields``, ``malignant``,
        ``groups``, and ``figures``, the rows of ``_compare``.
    """
    return [row for design in (SEQUENTIAL, CROSSED) if (row := _describe(study, design)) is not None]


def _describe(study: Study, design: str) -> dict[str, Any] | None:
    pairs = _pair_readings(study, design)
    readers = sorted(pairs["reviewer"].unique())
    fields = pairs["sha256"].unique().tolist()
    if len(readers) < 2:
        return None
    treatments = [pairs.rename(columns={f"{name}_{end}": name for name in _VALUES}) for end in ("without", "with")]
    answers = np.stack([arrange(treatment, readers, fields, study.names).T for treatment in treatments])
    label = study.known.label(fields, study.names)
    kept_readers, kept = _choose_block((answers != MISSING).all(axis=0) & (label != MISSING))
    chosen = [readers[number] for number in kept_readers]
    answers = answers[:, kept_readers][..., kept]
    label = label[kept]
    grades = np.stack(
        [_arrange_grades(treatment, chosen, [fields[number] for number in kept]) for treatment in treatments]
    )
    groups = study.known.group(fields)[kept]
    facts = {"design": design, "readers": chosen, "left_out": [name for name in readers if name not in chosen]}
    malignant = study.is_malignant(label)
    counts = {"fields": len(kept), "malignant": int(malignant.sum()), "groups": len(np.unique(groups))}
    ratings = {"class_accuracy": (answers == label, np.ones(len(label), bool))}
    ratings |= dict.fromkeys(("accuracy", "sensitivity", "specificity"), (study.is_malignant(answers), malignant))
    if grades.size and not np.isnan(grades).any():
        ratings["auc"] = grades, malignant
    confidence = study.precision.confidence
    rows = [_compare(name, *arguments, groups, confidence) for name, arguments in ratings.items()]
    return facts | counts | {"graded": "auc" in ratings, "figures": [row for row in rows if row is not None]}


_VALUES = ("reviewer_class", "grade")


def _pair_readings(study: Study, design: str) -> pd.DataFrame:
    """Pair both readings per reader and field; the columns of the two end with ``_without`` and ``_with``."""
    readings = study.readings
    names = ["reviewer", "sha256", "round", *_VALUES]
    without, aided = (readings[readings["phase"] == phase][names] for phase in (BLIND, _WITH[design]))
    same = ["reviewer", "sha256"]
    if design == SEQUENTIAL:
        pairs = without.merge(aided, on=[*same, "round"], suffixes=("_without", "_with"))
        return pairs.sort_values("round", kind="stable").drop_duplicates(same)
    # A reader who read a field blind and saw the opinion in the same round remembers it.
    pairs = without.merge(aided, on=same, suffixes=("_without", "_with"))
    pairs = pairs[pairs["round_without"] != pairs["round_with"]]
    return pairs.sort_values(["round_without", "round_with"], kind="stable").drop_duplicates(same)


def _choose_block(read: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Choose readers and the fields that all of them read, dropping readers while that keeps more readings.

    Args:
        read: Which fields each reader read, ``[readers, fields]``.
    """
    readers = list(range(len(read)))
    while len(readers) > 2:
        least = min(readers, key=lambda reader: read[reader].sum())
        others = [reader for reader in readers if reader != least]
        if len(others) * read[others].all(axis=0).sum() <= len(readers) * read[readers].all(axis=0).sum():
            break
        readers = others
    return readers, np.flatnonzero(read[readers].all(axis=0))


def _arrange_grades(readings: pd.DataFrame, readers: Sequence[str], fields: Sequence[str]) -> np.ndarray:
    table = readings.pivot(index="reviewer", columns="sha256", values="grade")
    return table.reindex(index=list(readers), columns=list(fields)).astype(float).to_numpy()


def _compare(
    name: str, ratings: np.ndarray, truth: np.ndarray, groups: np.ndarray, confidence: float
) -> dict[str, Any] | None:
    """Compare a figure of merit without and with the opinion; ``None`` if there are too few fields.

    Returns:
        ``figure``; its mean ``without`` and ``with`` the opinion, with intervals, and per reader (``readers_without``,
        ``readers_with``); ``statistic``, ``df1``, ``df2``, ``p`` and the difference, for all readers and for these
        readers.
    """
    kinds = _KINDS.get(name, (True, False) if name == "auc" else ())
    used = np.isin(truth, kinds) if len(kinds) == 1 else np.ones(len(truth), bool)
    ratings = ratings[..., used]
    truth = truth[used]
    groups = groups[used]
    enough = [len(np.unique(groups[truth == kind])) >= _PER_KIND for kind in kinds]
    if not all(enough) or len(np.unique(groups)) < _PER_KIND:
        return None
    measure = figures_of_merit.FIGURES["accuracy" if name == "class_accuracy" else name]
    figures = measure(ratings, truth)
    covariances = figures_of_merit.covary_by_jackknife(ratings, truth, measure, groups)
    components = mrmc.average_covariances(covariances)
    row: dict[str, Any] = {"figure": name, "fields": len(truth)}
    for number, end in enumerate(("without", "with")):
        mean = mrmc.estimate_treatment(figures[number], covariances[number, :, number], confidence)
        row |= _name(end, mean) | {f"readers_{end}": figures[number].tolist()}
    for scope, compare in (("all", mrmc.compare_for_all_readers), ("these", mrmc.compare_for_these_readers)):
        comparison = compare(figures, components, confidence)
        tests = {"statistic": comparison.statistic, "df1": comparison.df1, "df2": comparison.df2, "p": comparison.p}
        row[f"{scope}_readers"] = {key: _plain(value) for key, value in tests.items()}
        row[f"{scope}_readers"] |= _name("difference", comparison.difference)
    return row | {"components": {key: _plain(value) for key, value in components._asdict().items()}}


def _name(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {key: _plain(value) for key, value in estimate.tabulate(name).items()}


def _plain(value: float) -> float | None:
    """Return the value, or ``None`` if JSON cannot hold it."""
    return value if np.isfinite(value) else None
