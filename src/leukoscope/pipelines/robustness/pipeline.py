"""The pipeline of robustness: a template, which every model fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.robustness import nodes


def create_pipeline() -> Pipeline:
    """Make the template: a classifier to what it makes of changed fields and of outliers."""
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
