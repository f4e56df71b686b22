"""The pipeline of explanation."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.explain.nodes import explain_images


def create_pipeline() -> Pipeline:
    """Make the pipeline: images and a second reader to pictures of why it says what it says."""
    inputs = ["images", "reader", "smears", "params:explanation", "params:seed"]
    return Pipeline([Node(explain_images, inputs, "explanations", name="explain_images")])
