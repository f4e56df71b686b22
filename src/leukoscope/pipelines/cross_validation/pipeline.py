"""The cross-validation pipeline."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.collect.pipeline import create_runs_pipeline
from leukoscope.pipelines.cross_validation import nodes


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the pipeline from all evaluated trainings to pooled predictions, a table and a figure.

    Args:
        models: The models' names.
    """
    present = ["params:cross_validation", "params:splitting", "params:seed"]
    return create_runs_pipeline(models) + make_stage(
        "cross_validation",
        [
            Node(nodes.select_folds, ["runs", *present], "folds", name="select_folds"),
            Node(nodes.pool_folds, "folds", "out_of_fold", name="pool_folds"),
            Node(nodes.tabulate_folds, "folds", "fold_figures", name="tabulate_folds"),
            Node(
                nodes.judge_folds,
                ["folds", "fold_figures", "params:evaluation", "params:seed"],
                "cross_validation",
                name="judge_folds",
            ),
            Node(
                nodes.draw_folds,
                ["cross_validation", "fold_figures"],
                "cross_validation_figure",
                name="draw_folds",
            ),
        ],
    )
