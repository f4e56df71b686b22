"""The part of pipelines that chooses who reads."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.reader import nodes


def create_pipeline() -> Pipeline:
    """Make the pipeline: evaluated backbones, or the registry, to a second reader."""
    return Pipeline(
        [
            Node(
                nodes.assemble_reader,
                [
                    "params:reader",
                    "params:class_names",
                    "params:ingestion",
                    "params:evaluation",
                    "reader_registry",
                    "trained_models",
                    "calibrations",
                    "evaluated_predictions",
                    "evaluated_features",
                ],
                "reader",
                name="assemble_reader",
            ),
        ]
    )
