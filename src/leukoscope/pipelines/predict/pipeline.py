"""The pipeline of prediction."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.predict.nodes import read_images


def create_pipeline() -> Pipeline:
    """Make the pipeline: images and a second reader to opinions."""
    return Pipeline([Node(read_images, ["images", "reader", "params:ingestion"], "opinions", name="read_images")])
