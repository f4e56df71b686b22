"""The agreement pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.agreement import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from reviews to agreement metrics, their page and plot, and majority labels."""
    parameters = ["class_names", "app.washout_days", "agreement", "evaluation", "seed"]
    inputs = ["reviews", "reviewed_manifest", "reviewed_splits", *(f"params:{name}" for name in parameters)]
    written = ["agreement", "software", "params:seed", "pages_of_comparison", "pages_of_models"]
    return make_stage(
        "agreement",
        [
            Node(nodes.measure_agreement, inputs, "agreement", name="measure_agreement"),
            Node(nodes.draw_agreement, "agreement", "agreement_figure", name="draw_agreement"),
            Node(nodes.write_agreement, written, "agreement_page", name="write_agreement"),
            Node(nodes.take_consensus, ["reviews", "params:agreement"], "reviewed_labels", name="take_consensus"),
        ],
    )
