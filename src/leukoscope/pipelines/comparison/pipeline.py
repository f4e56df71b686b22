"""The pipeline of comparison."""

from kedro.pipeline import Node, Pipeline

from leukoscope.models.backbones import BACKBONES
from leukoscope.pipelines.comparison.nodes import compare_backbones, compare_errors, draw_comparison


def create_pipeline() -> Pipeline:
    """Make the pipeline: the results of all backbones to a table and a figure."""
    results = [f"{name}_result" for name in BACKBONES]
    return Pipeline(
        [
            Node(compare_backbones, results, "comparison", name="compare_backbones"),
            Node(
                compare_errors,
                ["splits", "params:evaluation", "params:seed", *results],
                "differences",
                name="compare_errors",
            ),
            Node(
                draw_comparison,
                ["comparison", "differences", "audit_table", "params:splitting"],
                "comparison_figure",
                name="draw_comparison",
            ),
        ]
    )
