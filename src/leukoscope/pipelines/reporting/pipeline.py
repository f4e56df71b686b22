"""The pipeline of reporting."""

from kedro.pipeline import Node, Pipeline

from leukoscope.models.architecture import BACKBONES
from leukoscope.pipelines.reporting import nodes

_FACTS = ["data_sheet", "params:data_sheet", "software", "params:seed"]
_WORTH = ["audit_table", "audit_verdict", "colour_baseline"]


def create_pipeline() -> Pipeline:
    """Make the pipeline: the results of all backbones, and the audit, to pages and model cards."""
    results = [f"{name}_result" for name in BACKBONES]
    comparison = Node(
        nodes.write_comparison,
        ["comparison", "differences", *_FACTS, *_WORTH, *results],
        "comparison_page",
        name="write_comparison",
    )
    return create_data_pipeline() + _write_about(results) + Pipeline([comparison])


def create_data_pipeline() -> Pipeline:
    """Make the part of the pipeline that describes the images, whatever was trained on them."""
    inputs = ["manifest", "ingestion_report", "splits", "params:splitting"]
    return Pipeline([Node(nodes.describe_data, inputs, "data_sheet", name="describe_data")])


def create_backbone_pipeline() -> Pipeline:
    """Make the template of the part that writes about one backbone."""
    return _write_about(["result"])


def _write_about(results: list[str]) -> Pipeline:
    inputs = [*_FACTS, *_WORTH, *results]
    return Pipeline(
        [
            Node(nodes.write_reports, inputs, "reports", name="write_reports"),
            Node(nodes.write_model_cards, inputs, "model_cards", name="write_model_cards"),
        ]
    )
