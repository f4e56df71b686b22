"""The pipeline of the audit."""

from kedro.pipeline import Node, Pipeline

from leukoscope.models.architecture import BACKBONES
from leukoscope.pipelines.audit import nodes


def create_pipeline() -> Pipeline:
    """Make the pipeline: images, and the features of all backbones, to a table, a verdict and a figure."""
    return Pipeline(
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
                    *(f"{name}_features" for name in BACKBONES),
                ],
                "audit_table",
                name="climb_ladder",
            ),
            Node(nodes.judge_audit, ["audit_table", "manifest", "params:audit"], "audit_verdict", name="judge_audit"),
            Node(nodes.draw_audit, ["audit_table", "manifest"], "audit_figure", name="draw_audit"),
        ]
    )
