"""The pipeline parts that choose the second reader."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.reader import nodes


def create_engine_pipeline() -> Pipeline:
    """Create the pipeline from a second reader to its engine, which needs no Keras."""
    inputs = ["reader", "packed_images", "params:reader"]
    return make_stage("reader", [Node(nodes.plan_engine, inputs, "engine", name="plan_engine")])


def create_pipeline() -> Pipeline:
    """Create the pipeline from evaluated models, or the registry, to a second reader."""
    return make_stage(
        "reader",
        [
            Node(
                nodes.collect_evaluated,
                ["params:models", "trained_models", "calibrations", "evaluated_predictions", "evaluated_features"],
                "evaluated",
                name="collect_evaluated",
            ),
            Node(
                nodes.assemble_reader,
                [
                    "params:reader",
                    "params:class_names",
                    "params:ingestion",
                    "params:evaluation",
                    "reader_registry",
                    "params:models",
                    "evaluated",
                    "packed_images",
                ],
                "reader",
                name="assemble_reader",
            ),
        ],
    )
