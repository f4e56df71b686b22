"""The prediction pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.predict.nodes import read_images


def create_pipeline() -> Pipeline:
    """Create the pipeline from images, a second reader and its engine to opinions."""
    parameters = [f"params:{name}" for name in ("reader", "ingestion", "cluster", "monitoring")]
    inputs = ["images", "reader", "engine", *parameters]
    return make_stage("predict", [Node(read_images, inputs, "opinions", name="read_images")])
