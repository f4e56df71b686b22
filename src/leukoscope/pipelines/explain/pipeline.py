"""The explanation pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.explain.nodes import explain_images


def create_pipeline() -> Pipeline:
    """Create the pipeline from images and a second reader to pictures that explain its predictions."""
    inputs = ["images", "reader", "smears", "params:explanation", "params:seed"]
    return make_stage("explain", [Node(explain_images, inputs, "explanations", name="explain_images")])
