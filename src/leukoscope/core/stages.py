"""The stages of the work: namespaces of nodes, beside those of models."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

# Kedro-Viz draws each as one box until it is opened, and `kedro run --namespaces` takes them. No model has such a name.
STAGES = frozenset(
    {
        "agreement",
        "architectures",
        "audit",
        "augmentation",
        "cells",
        "comparison",
        "cross_validation",
        "explain",
        "export",
        "external",
        "generate",
        "import_weights",
        "ingestion",
        "label_issues",
        "mirror",
        "monitoring",
        "predict",
        "promote",
        "reader",
        "reporting",
        "search",
        "splitting",
        "stain_colour",
        "study",
    }
)


def make_stage(stage: str, nodes: Iterable[Node]) -> Pipeline:
    """Put nodes into a stage's namespace; data sets and parameters keep their names.

    Args:
        stage: One of ``STAGES``.
        nodes: Those of the stage, or some of them.

    Raises:
        ValueError: There is no such stage; its nodes would be taken for a model's.
    """
    if stage not in STAGES:
        raise ValueError(f"{stage} is no stage: add it to STAGES in core/stages.py.")
    return Pipeline(nodes, namespace=stage, prefix_datasets_with_namespace=False)


def find_model(node: Node) -> str | None:
    """Find the model that a node is of: its namespace, unless that is a stage's.

    Args:
        node: Of any pipeline.
    """
    return None if node.namespace in STAGES else node.namespace


def list_models(pipeline: Pipeline) -> set[str]:
    """List the models that a pipeline has nodes of."""
    return {model for model in map(find_model, pipeline.nodes) if model}
