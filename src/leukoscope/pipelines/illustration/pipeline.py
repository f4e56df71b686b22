"""The pipeline of illustration: a template, which every backbone fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.illustration import nodes


def create_pipeline() -> Pipeline:
    """Make the template: predictions and opinions to pictures."""
    classes, backbone = "params:class_names", "params:backbone"
    return Pipeline(
        [
            Node(
                nodes.draw_confusion_matrix,
                ["predictions", classes, backbone],
                "confusion_matrix",
                name="draw_confusion_matrix",
            ),
            Node(nodes.draw_roc_curves, ["predictions", classes, backbone], "roc_curves", name="draw_roc_curves"),
            Node(
                nodes.draw_calibration,
                ["predictions", "opinions", "calibration", classes, backbone],
                "calibration_figure",
                name="draw_calibration",
            ),
        ]
    )
