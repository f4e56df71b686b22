"""The pipeline of external data."""

from kedro.pipeline import Node, Pipeline

from leukoscope.models.architecture import BACKBONES
from leukoscope.pipelines.external import nodes


def create_pipeline() -> Pipeline:
    """Make the pipeline: images of another source, and trained classifiers, to metrics and pages."""
    results = [f"{name}_result" for name in BACKBONES]
    features = [f"{name}_features" for name in BACKBONES]
    mapping, options, seed = "external_mapping", "params:evaluation", "params:seed"
    return Pipeline(
        [
            Node(nodes.map_classes, ["params:external", "params:class_names", options], mapping, name="map_classes"),
            Node(
                nodes.decode_external,
                ["external_images", mapping, "params:ingestion"],
                "external_smears",
                name="decode_external",
            ),
            Node(
                nodes.build_external_manifest,
                ["external_smears", mapping, "smears", "manifest", "params:ingestion"],
                "external_manifest",
                name="build_external_manifest",
            ),
            Node(
                nodes.predict_external,
                [
                    "external_smears",
                    "external_manifest",
                    mapping,
                    "trained_models",
                    "calibrations",
                    "params:class_names",
                    options,
                    *features,
                ],
                ["external_predictions", "external_opinions"],
                name="predict_external",
            ),
            Node(
                nodes.score_external,
                ["external_predictions", "external_opinions", "external_manifest", mapping, options, seed, *results],
                "external_metrics",
                name="score_external",
            ),
            Node(
                nodes.write_external_reports,
                [
                    "external_predictions",
                    "external_opinions",
                    "external_metrics",
                    "external_smears",
                    "external_manifest",
                    mapping,
                    "params:external",
                    options,
                    "software",
                    seed,
                    *results,
                ],
                "external_reports",
                name="write_external_reports",
            ),
        ]
    )
