"""The ingestion pipeline: scan, check and hash files, find duplicates; decode and resize once."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.ingestion.nodes import (
    build_manifest,
    decode_images,
    plot_ingestion,
    plot_montage,
    report_ingestion,
)


def create_pipeline() -> Pipeline:
    """Create the pipeline from ``raw_images`` to ``smears``, ``manifest`` and their report."""
    names = "params:class_names"
    options = "params:ingestion"
    return make_stage(
        "ingestion",
        [
            Node(decode_images, ["raw_images", names, options, "params:cluster"], "smears", name="decode_images"),
            Node(
                build_manifest,
                ["smears", "label_table", names, options, "params:cluster"],
                "manifest",
                name="build_manifest",
            ),
            Node(
                report_ingestion,
                ["manifest", names, options, "params:data_sheet"],
                "ingestion_report",
                name="report_ingestion",
            ),
            Node(plot_ingestion, ["manifest", "ingestion_report"], "ingestion_figure", name="plot_ingestion"),
            Node(plot_montage, ["smears", "manifest", names], "montage", name="plot_montage"),
        ],
    )
