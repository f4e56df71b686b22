"""The pipeline of robustness: a template, which every backbone fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.robustness import nodes


def create_pipeline() -> Pipeline:
    """Make the template: a classifier to its accuracy on changed fields, as a table, a number and a figure."""
    return Pipeline(
        [
            Node(
                nodes.measure_robustness,
                [
                    "model",
                    "calibration",
                    "smears",
                    "splits",
                    "params:robustness",
                    "params:evaluation",
                    "params:seed",
                ],
                "robustness",
                name="measure_robustness",
            ),
            Node(nodes.summarise_robustness, "robustness", "robustness_summary", name="summarise_robustness"),
            Node(nodes.draw_robustness, ["robustness", "params:backbone"], "robustness_figure", name="draw_robustness"),
        ]
    )
