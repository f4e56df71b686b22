"""The comparison pipeline."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.collect.pipeline import create_results_pipeline
from leukoscope.pipelines.comparison import nodes


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the pipeline from the results of all models and of stain colour to a table and a figure.

    Args:
        models: The models' names.
    """
    return (
        create_results_pipeline(models)
        + create_baseline_pipeline()
        + make_stage(
            "comparison",
            [
                Node(nodes.compare_models, ["splits", "results"], "comparison", name="compare_models"),
                Node(
                    nodes.compare_errors,
                    [
                        *("splits", "colour_baseline", "params:evaluation", "params:seed", "results"),
                        *("manifest", "study_differences"),
                    ],
                    "differences",
                    name="compare_errors",
                ),
                Node(
                    nodes.draw_comparison,
                    ["comparison", "differences", "colour_baseline"],
                    "comparison_figure",
                    name="draw_comparison",
                ),
            ],
        )
    )


def create_baseline_pipeline() -> Pipeline:
    """Create the part that computes the stain-colour baseline, which needs no network."""
    inputs = ["smears", "splits", "params:audit", "params:evaluation", "params:seed"]
    return make_stage("stain_colour", [Node(nodes.judge_colour, inputs, "colour_baseline", name="judge_colour")])
