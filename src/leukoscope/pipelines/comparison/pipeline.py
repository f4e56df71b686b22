"""The pipeline of comparison."""

from kedro.pipeline import Node, Pipeline

from leukoscope.models.architecture import BACKBONES
from leukoscope.pipelines.comparison import nodes


def create_pipeline() -> Pipeline:
    """Make the pipeline: the results of all backbones, and what colour reaches, to a table and a figure."""
    results = [f"{name}_result" for name in BACKBONES]
    return create_baseline_pipeline() + Pipeline(
        [
            Node(nodes.compare_backbones, ["splits", *results], "comparison", name="compare_backbones"),
            Node(
                nodes.compare_errors,
                ["splits", "colour_baseline", "params:evaluation", "params:seed", *results],
                "differences",
                name="compare_errors",
            ),
            Node(
                nodes.draw_comparison,
                ["comparison", "differences", "colour_baseline"],
                "comparison_figure",
                name="draw_comparison",
            ),
        ]
    )


def create_baseline_pipeline() -> Pipeline:
    """Make the part of the pipeline that every accuracy is held against, and that needs no network."""
    inputs = ["smears", "splits", "params:audit", "params:evaluation", "params:seed"]
    return Pipeline([Node(nodes.judge_colour, inputs, "colour_baseline", name="judge_colour")])
