"""The mirror pipeline, the audit's counterpart: cells alone, and fields without cells."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.collect.pipeline import create_features_pipeline
from leukoscope.pipelines.mirror import nodes


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the pipeline from cells, images and all models to two tables, a text and a figure.

    Args:
        models: The models' names.
    """
    inputs = ["smears", "cells", "cell_size", "manifest"]
    judged = ["cell_features", "manifest", "smears", "group_table", "params:audit", "params:splitting", "params:seed"]
    asked = ["trained_models_if_any", "params:models", "params:audit", "features"]
    inputs_of_text = ["mirror_table", "blanked_table", "manifest", "params:audit"]
    return create_features_pipeline(models) + make_stage(
        "mirror",
        [
            Node(nodes.describe_by_cells, inputs, "cell_features", name="describe_by_cells"),
            Node(nodes.climb_mirror, judged, "mirror_table", name="climb_mirror"),
            Node(nodes.blank_cells, [*inputs, *asked], "blanked_table", name="blank_cells"),
            Node(nodes.describe_mirror, inputs_of_text, "mirror_text", name="describe_mirror"),
            Node(nodes.draw_mirror, ["mirror_table", "manifest"], "mirror_figure", name="draw_mirror"),
        ],
    )
