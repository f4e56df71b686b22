"""Collect the outputs of all models, for pipelines that use all of them."""

from typing import Any

import pandas as pd

from leukoscope.evaluation.compatibility import select_results
from leukoscope.evaluation.records import EvaluationRecord


def collect_results(*results: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Collect the results in the format that comparisons and pages need.

    Args:
        results: One per model; ``None`` for models without a result.

    Raises:
        InputError: There are results, but all were written by another version.
    """
    return select_results(results)


def collect_features(models: dict[str, Any], *features: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Collect the last-layer features of each model.

    Args:
        models: All entries, in the order of the features.
        features: One table per model; ``None`` for models that have not been evaluated.

    Returns:
        The existing tables by model name.
    """
    named = zip(models, features, strict=True)
    return {name: table for name, table in named if table is not None}


def collect_runs(models: dict[str, Any], *runs: list[EvaluationRecord]) -> dict[str, list[EvaluationRecord]]:
    """Collect the records of each model's evaluated trainings.

    Args:
        models: All entries, in the order of the runs.
        runs: The records of each model.
    """
    return dict(zip(models, runs, strict=True))


def collect_result(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one model's result in the form of ``collect_results``."""
    return [result]
