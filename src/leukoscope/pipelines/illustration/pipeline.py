"""The pipeline of illustration: a template, which every model fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.illustration import nodes


def create_pipeline() -> Pipeline:
    """Make the template: what an evaluation traced to pictures."""
    display, model = "display", "params:model"
    return Pipeline(
        [
            Node(
                nodes.draw_confusion_matrix,
                [display, model],
                "confusion_matrix",
                name="draw_confusion_matrix",
            ),
            Node(nodes.draw_roc_curves, [display, model], "roc_curves", name="draw_roc_curves"),
            Node(
                nodes.draw_calibration,
                [display, "calibration", model],
                "calibration_figure",
                name="draw_calibration",
            ),
        ]
    )
