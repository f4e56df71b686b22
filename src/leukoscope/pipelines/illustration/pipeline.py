"""The pipeline of illustration: a template, which every model fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.illustration import nodes


def create_pipeline() -> Pipeline:
    """Make the template: predictions and opinions to pictures."""
    classes, model = "params:class_names", "params:model"
    return Pipeline(
        [
            Node(
                nodes.draw_confusion_matrix,
                ["predictions", classes, model],
                "confusion_matrix",
                name="draw_confusion_matrix",
            ),
            Node(nodes.draw_roc_curves, ["predictions", classes, model], "roc_curves", name="draw_roc_curves"),
            Node(
                nodes.draw_calibration,
                ["predictions", "opinions", "calibration", classes, model],
                "calibration_figure",
                name="draw_calibration",
            ),
        ]
    )
