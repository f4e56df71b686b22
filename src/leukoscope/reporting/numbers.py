"""The tables next to a page's plots: the numbers that a reader would otherwise read off the plots."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.core.storage import as_records
from leukoscope.figures.protocols import list_rungs

SENSITIVITIES = (0.8, 0.9, 0.95, 0.99)
_COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


def list_operating_points(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, list[dict[str, float]]]:
    """List where ROC curves first reach each of ``SENSITIVITIES``.

    Args:
        curves: For each class ``false_positive``, ``true_positive`` and ``threshold``, strictest threshold first.

    Returns:
        For each class the ``sensitivity``, ``specificity`` and ``threshold`` of each point.
    """
    points = {}
    for name, curve in curves.items():
        table = pd.DataFrame(curve)
        table["specificity"] = 1 - table["false_positive"]
        named = table.rename(columns={"true_positive": "sensitivity"})[["sensitivity", "specificity", "threshold"]]
        first = [(named["sensitivity"] >= least).idxmax() for least in SENSITIVITIES]
        points[name] = as_records(named.loc[first])
    return points


def list_coverages(risk: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """List the share of wrong opinions at coverages from a half to all of the images.

    Args:
        risk: ``coverage``, ``risk`` and ``confidence``, most confident opinions first.

    Returns:
        ``coverage``, ``risk`` and ``confidence`` of the first point at each of these coverages.
    """
    table = pd.DataFrame(risk)
    first = [(table["coverage"] >= least).idxmax() for least in _COVERAGES]
    return as_records(table.loc[list(dict.fromkeys(first))])


def list_bins(reliability: Mapping[str, Mapping[str, Sequence[float]]]) -> list[dict[str, Any]]:
    """List the bins of a reliability diagram: ``probabilities``, ``confidence``, ``right`` and ``images``."""
    tables = [pd.DataFrame(bins).assign(probabilities=name) for name, bins in reliability.items()]
    return as_records(pd.concat(tables).astype({"images": int}))


def list_ladder(ladder: pd.DataFrame) -> list[dict[str, Any]]:
    """List all audit results, by protocol: what was ``held_out`` together, and the columns of the ladder."""
    return as_records(pd.concat([rung.rows.assign(held_out=rung.style.legend) for rung in list_rungs(ladder)]))


def list_strongest(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """List each model's results under the strongest level of each change, by the change and the model's title."""
    strongest: dict[str, dict[str, dict[str, Any]]] = {}
    for result in results:
        for row in result["robustness"]:  # later rows have stronger changes
            strongest.setdefault(row["perturbation"], {})[result["title"]] = row
    return strongest
