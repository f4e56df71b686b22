"""The part of pipelines that brings together what the models left behind."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.collect import nodes


def create_results_pipeline(models: Sequence[str]) -> Pipeline:
    """Make the part that gathers the results of all models.

    Args:
        models: Their names.
    """
    results = [f"{name}_result" for name in models]
    return make_stage("comparison", [Node(nodes.collect_results, results, "results", name="collect_results")])


def create_features_pipeline(models: Sequence[str]) -> Pipeline:
    """Make the part that gathers what the last layers of all models see.

    Args:
        models: Their names.
    """
    features = ["params:models", *(f"{name}_features" for name in models)]
    return make_stage("audit", [Node(nodes.collect_features, features, "features", name="collect_features")])


def create_runs_pipeline(models: Sequence[str]) -> Pipeline:
    """Make the part that gathers the evaluated trainings of all models.

    Args:
        models: Their names.
    """
    runs = ["params:models", *(f"{name}_runs" for name in models)]
    return make_stage("cross_validation", [Node(nodes.collect_runs, runs, "runs", name="collect_runs")])
