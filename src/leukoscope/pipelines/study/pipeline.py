"""The pipeline of a study."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.reporting.pipeline import create_frame_pipeline
from leukoscope.pipelines.study import nodes, planning


def create_pipeline() -> Pipeline:
    """Create the pipeline from packed images to many trainings, their tables and their page."""
    recipes = ("study", "models", "training", "augmentation", "cells", "evaluation", "search")
    described = [f"params:{name}" for name in recipes]
    planned = ["params:study", "study_entries", "study_images", "params:splitting", "params:class_names", "params:seed"]
    images = ["manifest", "group_table", "smears", "generated_images"]
    folds = ["study_plan", "manifest", "group_table", "smears", "params:splitting"]
    kept = ["study_outcomes", "study_ledger"]
    confidence = "params:evaluation"
    classes = "params:class_names"
    seed = "params:seed"
    tables = ["study", "study_units", "study_differences", "study_pooled", "study_histories"]
    about = ["evaluations", "manifest", "page_frame", "params:models", confidence, classes]
    judged = ["study_pooled", "study_units", confidence, classes, seed]
    return create_frame_pipeline() + make_stage(
        "study",
        [
            Node(planning.describe_entries, described, "study_entries", name="describe_entries"),
            Node(planning.describe_material, images, "study_images", name="describe_material"),
            Node(planning.plan_study, planned, "study_plan", name="plan_study"),
            Node(planning.require_folds, folds, "study_checked", name="require_folds"),
            Node(
                nodes.run_units,
                ["study_checked", "study_ledger", "params:study", "params:cluster", "params:search"],
                "study_outcomes",
                name="run_units",
            ),
            Node(nodes.tabulate_units, kept, "study_units", name="tabulate_units"),
            Node(nodes.pool_units, kept, ["study_pooled", "study_predictions"], name="pool_units"),
            Node(nodes.gather_histories, kept, "study_histories", name="gather_histories"),
            Node(nodes.judge_study, judged, "study", name="judge_study"),
            Node(
                nodes.compare_study,
                ["study_pooled", confidence, "params:splitting", "manifest", seed],
                "study_differences",
                name="compare_study",
            ),
            Node(nodes.gather_study, tables, "study_tables", name="gather_study"),
            Node(nodes.write_study, ["study_tables", *about], "study_page", name="write_study"),
            Node(nodes.require_finished, ["study_units", "study_page"], "study_end", name="require_finished"),
        ],
    )
