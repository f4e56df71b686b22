"""The stages of the work: namespaces of nodes, besides those of models."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

# Kedro-Viz draws each as one collapsed box, and `kedro run --namespaces` accepts them. No model has such a name.
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
        nodes: All or some nodes of the stage.

    Raises:
        ValueError: The stage does not exist; its nodes would be taken for a model's.
    """
    if stage not in STAGES:
        raise ValueError(f"{stage} is no stage: add it to STAGES in core/stages.py.")
    return Pipeline(nodes, namespace=stage, prefix_datasets_with_namespace=False)


def find_model(node: Node) -> str | None:
    """Find the model that a node belongs to: its namespace, unless this is a stage.

    Args:
        node: A node of any pipeline.
    """
    return None if node.namespace in STAGES else node.namespace


def list_models(pipeline: Pipeline) -> set[str]:
    """List the models with nodes in a pipeline."""
    return {model for model in map(find_model, pipeline.nodes) if model}
