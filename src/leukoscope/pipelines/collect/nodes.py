"""Bring together what each model left behind, for whatever looks at all of them."""

from typing import Any

import pandas as pd

from leukoscope.evaluation.compatibility import select_results
from leukoscope.evaluation.records import EvaluationRecord


def collect_results(*results: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Gather the results that have what comparisons and pages need.

    Args:
        results: One for each model, or ``None`` where it has none yet.

    Raises:
        InputError: There are results, and all are of another version.
    """
    return select_results(results)


def collect_features(models: dict[str, Any], *features: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Gather what the last layer of each model sees.

    Args:
        models: All entries, in the order of the features.
        features: One table for each model, or ``None`` where it has not been evaluated.

    Returns:
        The tables that there are, by the model's name.
    """
    named = zip(models, features, strict=True)
    return {name: table for name, table in named if table is not None}


def collect_runs(models: dict[str, Any], *runs: list[EvaluationRecord]) -> dict[str, list[EvaluationRecord]]:
    """Gather what is kept of the evaluated trainings of each model.

    Args:
        models: All entries, in the order of the runs.
        runs: Those of each model.
    """
    return dict(zip(models, runs, strict=True))


def collect_result(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Give one model's result as all results are given."""
    return [result]
