"""The splitting pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.splitting.nodes import assign_splits, group_images, report_splits


def create_pipeline() -> Pipeline:
    """Create the pipeline from the manifest to splits."""
    return make_stage(
        "splitting",
        [
            Node(
                group_images,
                ["manifest", "group_table", "smears", "params:splitting", "params:seed"],
                "grouped_images",
                name="group_images",
            ),
            Node(assign_splits, ["grouped_images", "params:splitting", "params:seed"], "splits", name="assign_splits"),
            Node(
                report_splits,
                ["grouped_images", "splits", "params:class_names", "params:splitting"],
                "split_report",
                name="report_splits",
            ),
        ],
    )
