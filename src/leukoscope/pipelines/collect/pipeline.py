"""The pipeline parts that collect the outputs of all models."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.collect import nodes


def create_results_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the part that collects the results of all models.

    Args:
        models: The models' names.
    """
    results = [f"{name}_result" for name in models]
    return make_stage("comparison", [Node(nodes.collect_results, results, "results", name="collect_results")])


def create_features_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the part that collects the last-layer features of all models.

    Args:
        models: The models' names.
    """
    features = ["params:models", *(f"{name}_features" for name in models)]
    return make_stage("audit", [Node(nodes.collect_features, features, "features", name="collect_features")])


def create_runs_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the part that collects the evaluated trainings of all models.

    Args:
        models: The models' names.
    """
    runs = ["params:models", *(f"{name}_runs" for name in models)]
    return make_stage("cross_validation", [Node(nodes.collect_runs, runs, "runs", name="collect_runs")])
