"""The pipeline that imports weights from PyTorch."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.import_weights.nodes import import_weights


def create_pipeline() -> Pipeline:
    """Create the pipeline from a state_dict to a weights file of an architecture."""
    return make_stage(
        "import_weights", [Node(import_weights, "params:import_weights", "imported_weights", name="import_weights")]
    )
