"""The robustness pipeline: a template instantiated for every model in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.robustness import nodes


def create_pipeline() -> Pipeline:
    """Create the template from a classifier to its results on changed fields and on outliers."""
    inputs = [
        "model",
        "calibration",
        "features",
        "smears",
        "splits",
        "params:robustness",
        "params:evaluation",
        "params:seed",
    ]
    return Pipeline(
        [
            Node(nodes.measure_robustness, inputs, ["robustness", "robust_accuracy"], name="measure_robustness"),
            Node(nodes.measure_outliers, inputs, "outliers", name="measure_outliers"),
            Node(
                nodes.summarise_robustness,
                ["robustness", "robust_accuracy", "outliers"],
                "robustness_summary",
                name="summarise_robustness",
            ),
        ]
    )
