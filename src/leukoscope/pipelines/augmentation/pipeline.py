"""The augmentation pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.augmentation.nodes import plan_training, preview_augmentation


def create_pipeline() -> Pipeline:
    """Create the pipeline from splits to the training plan and a preview."""
    return make_stage(
        "augmentation",
        [
            Node(
                plan_training, ["splits", "params:augmentation", "params:seed"], "training_plan", name="plan_training"
            ),
            Node(
                preview_augmentation,
                ["smears", "training_plan", "params:augmentation", "params:seed"],
                "augmentation_preview",
                name="preview_augmentation",
            ),
        ],
    )
