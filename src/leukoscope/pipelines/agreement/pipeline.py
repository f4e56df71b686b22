"""The pipeline of agreement."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.agreement.nodes import measure_agreement


def create_pipeline() -> Pipeline:
    """Make the pipeline: reviews to figures of agreement."""
    inputs = ["reviews", "params:class_names", "params:agreement", "params:seed"]
    return make_stage("agreement", [Node(measure_agreement, inputs, "agreement", name="measure_agreement")])
