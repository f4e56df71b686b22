"""The pipeline of reporting."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from leukoscope.models.backbones import BACKBONES
from leukoscope.pipelines.reporting import nodes

_FACTS = ["data_sheet", "params:data_sheet", "software", "params:seed"]
_WORTH = ["audit_table", "audit_verdict", "colour_baseline"]


def create_pipeline() -> Pipeline:
    """Make the pipeline: the results of all backbones, and the audit, to pages and model cards."""
    results = _name_results(BACKBONES)
    comparison = Node(
        nodes.write_comparison,
        ["comparison", "differences", *_FACTS, *_WORTH, *results],
        "comparison_page",
        name="write_comparison",
    )
    return create_backbone_pipeline(BACKBONES) + Pipeline([comparison])


def create_backbone_pipeline(backbones: Iterable[str]) -> Pipeline:
    """Make the part of the pipeline that writes about each backbone by itself.

    Args:
        backbones: Which ones.
    """
    results = _name_results(backbones)
    return Pipeline(
        [
            Node(
                nodes.describe_data,
                ["manifest", "ingestion_report", "splits", "params:splitting"],
                "data_sheet",
                name="describe_data",
            ),
            Node(
                nodes.write_reports,
                [*_FACTS, *_WORTH, *results],
                "reports",
                name="write_reports",
            ),
            Node(
                nodes.write_model_cards,
                [*_FACTS, *_WORTH, *results],
                "model_cards",
                name="write_model_cards",
            ),
        ]
    )


def _name_results(backbones: Iterable[str]) -> list[str]:
    return [f"{name}_result" for name in backbones]
