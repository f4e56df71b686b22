"""The pipeline of comparison."""

from kedro.pipeline import Node, Pipeline

from leukoscope.models.backbones import BACKBONES
from leukoscope.pipelines.comparison.nodes import compare_backbones, compare_predictions, draw_comparison


def create_pipeline() -> Pipeline:
    """Make the pipeline: the results of all backbones to a table and a figure."""
    return Pipeline(
        [
            Node(compare_backbones, [f"{name}_result" for name in BACKBONES], "comparison", name="compare_backbones"),
            Node(
                compare_predictions,
                ["splits", "params:evaluation", "params:seed", *(f"{name}.predictions" for name in BACKBONES)],
                "differences",
                name="compare_predictions",
            ),
            Node(draw_comparison, ["comparison", "differences"], "comparison_figure", name="draw_comparison"),
        ]
    )
