"""The audit pipeline."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.audit import nodes
from leukoscope.pipelines.collect.pipeline import create_features_pipeline


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the pipeline from images and the features of all models to a table, a verdict and a figure.

    Args:
        models: The models' names.
    """
    return create_features_pipeline(models) + make_stage(
        "audit",
        [
            Node(nodes.describe_images, ["raw_images", "smears", "manifest"], "blind_features", name="describe_images"),
            Node(
                nodes.climb_ladder,
                [
                    "blind_features",
                    "manifest",
                    "smears",
                    "group_table",
                    "params:audit",
                    "params:splitting",
                    "params:seed",
                    "features",
                ],
                "audit_table",
                name="climb_ladder",
            ),
            Node(nodes.judge_audit, ["audit_table", "manifest", "params:audit"], "audit_verdict", name="judge_audit"),
            Node(nodes.draw_audit, ["audit_table", "manifest"], "audit_figure", name="draw_audit"),
        ],
    )
