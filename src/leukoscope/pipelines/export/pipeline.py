"""The export pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.export import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from a second reader to files for small machines, and a table that compares them."""
    return make_stage(
        "export",
        [
            Node(
                nodes.export_reader,
                ["reader", "smears", "splits", "params:export", "params:seed"],
                "exports",
                name="export_reader",
            ),
            Node(
                nodes.check_exports,
                ["exports", "reader", "smears", "splits", "params:export"],
                "export_table",
                name="check_exports",
            ),
            Node(nodes.apply_budget, ["export_table", "params:export"], "export_budget", name="apply_budget"),
        ],
    )
