"""The pipeline for external data."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.collect.pipeline import create_features_pipeline, create_results_pipeline
from leukoscope.pipelines.external import nodes, taking_in


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the pipeline from images of another source and trained classifiers to metrics and pages.

    Args:
        models: The models' names.
    """
    gathered = create_results_pipeline(models) + create_features_pipeline(models)
    return gathered + _create_ingestion() + _create_judging()


def _create_ingestion() -> Pipeline:
    mapping = "external_mapping"
    layout = "external_layout"
    return make_stage(
        "external",
        [
            Node(
                taking_in.recognise_layout,
                ["external_images", "params:external"],
                layout,
                name="recognise_layout",
            ),
            Node(
                taking_in.map_classes,
                ["params:external", layout, "params:class_names", "params:evaluation"],
                mapping,
                name="map_classes",
            ),
            Node(
                taking_in.decode_external,
                ["external_images", mapping, layout, "params:ingestion"],
                "external_smears",
                name="decode_external",
            ),
            Node(
                taking_in.build_external_manifest,
                ["external_smears", mapping, layout, "smears", "manifest", "params:ingestion"],
                "external_manifest",
                name="build_external_manifest",
            ),
        ],
    )


def _create_judging() -> Pipeline:
    mapping = "external_mapping"
    layout = "external_layout"
    options = "params:evaluation"
    seed = "params:seed"
    smears = "external_smears"
    manifest = "external_manifest"
    judged = ["external_predictions", "external_opinions"]
    models = ["trained_models", "calibrations", "params:class_names", options, "features"]
    about = [manifest, mapping, "external_layout_facts", "params:external", "software", seed]
    scored = [*judged, manifest, mapping, layout, options, seed, "results"]
    shown = [*judged, "external_metrics", smears, mapping, options, "external_context", "results"]
    return make_stage(
        "external",
        [
            Node(nodes.predict_external, [smears, manifest, mapping, *models], judged, name="predict_external"),
            Node(nodes.score_external, scored, "external_metrics", name="score_external"),
            Node(
                taking_in.describe_layout,
                [manifest, layout, "smears"],
                "external_layout_facts",
                name="describe_layout",
            ),
            Node(
                nodes.describe_external,
                [*about, "pages_of_comparison", "pages_of_models"],
                "external_context",
                name="describe_external",
            ),
            Node(nodes.write_external_reports, shown, "external_reports", name="write_external_reports"),
        ],
    )
