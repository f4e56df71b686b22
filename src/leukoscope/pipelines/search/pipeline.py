"""The pipelines of a search: the search itself, and the scoring of each trial's model."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.reporting.pipeline import create_frame_pipeline
from leukoscope.pipelines.search import nodes, planning
from leukoscope.pipelines.study.planning import describe_material


def create_pipeline() -> Pipeline:
    """Create the pipeline from packed images to many trials, their table, and the best trial."""
    described = [f"params:{name}" for name in ("search", "models", "training", "augmentation", "cells")]
    planned = ["params:search", "search_setting", "params:splitting", "params:class_names", "params:seed"]
    images = ["manifest", "group_table", "smears", "generated_images"]
    ended = ["search_study", "search_plan"]
    return create_frame_pipeline() + make_stage(
        "search",
        [
            Node(planning.describe_search, described, "search_setting", name="describe_search"),
            Node(describe_material, images, "search_images", name="describe_material"),
            Node(planning.plan_search, [*planned, "search_images"], "search_plan", name="plan_search"),
            Node(
                nodes.run_trials,
                ["search_plan", "search_ledger", "params:search", "search_setting", "manifest", "page_frame", "smears"],
                ["search_study", "search_page"],
                name="run_trials",
            ),
            Node(nodes.tabulate_trials, ended, "search_trials", name="tabulate_trials"),
            Node(nodes.choose_best, [*ended, "search_setting"], "search_best", name="choose_best"),
            Node(
                nodes.draw_search,
                ["search_trials", *ended],
                ["search_history", "search_importance"],
                name="draw_search",
            ),
            Node(nodes.require_ended, ["search_trials", "search_best"], "search_end", name="require_ended"),
        ],
    )


def create_validation_pipeline() -> Pipeline:
    """Create the template that scores a model on the validation images only."""
    taken = ["model", "smears", "splits", "params:class_names", "params:evaluation", "params:splitting", "params:seed"]
    return Pipeline([Node(nodes.score_validation, taken, "validation_scores", name="score_validation")])
