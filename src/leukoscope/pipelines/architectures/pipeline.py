"""The pipeline that draws networks."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.architectures.nodes import draw_architectures


def create_pipeline() -> Pipeline:
    """Create the pipeline from the configured entries to a drawing of each network."""
    inputs = ["params:models", "params:training", "params:class_names"]
    return make_stage(
        "architectures", [Node(draw_architectures, inputs, "architecture_figures", name="draw_architectures")]
    )
