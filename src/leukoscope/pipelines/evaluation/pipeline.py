"""The pipeline of evaluation: a template, which every backbone fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.evaluation import nodes


def create_pipeline() -> Pipeline:
    """Make the template: a classifier to predictions, metrics, figures and a report."""
    return Pipeline(
        [
            Node(
                nodes.predict_splits,
                ["model", "smears", "splits", "params:class_names", "params:evaluation"],
                ["predictions", "features"],
                name="predict_splits",
            ),
            Node(
                nodes.calibrate_predictions,
                ["predictions", "params:class_names", "params:evaluation"],
                "calibration",
                name="calibrate_predictions",
            ),
            Node(
                nodes.score_predictions,
                ["predictions", "calibration", "splits", "params:class_names", "params:evaluation", "params:seed"],
                "metrics",
                name="score_predictions",
            ),
            Node(
                nodes.summarise_result,
                ["metrics", "robustness_summary", "predictions", "training_summary", "params:backbone"],
                "result",
                name="summarise_result",
            ),
            Node(
                nodes.draw_confusion_matrix,
                ["predictions", "params:class_names", "params:backbone"],
                "confusion_matrix",
                name="draw_confusion_matrix",
            ),
            Node(
                nodes.draw_roc_curves,
                ["predictions", "params:class_names", "params:backbone"],
                "roc_curves",
                name="draw_roc_curves",
            ),
            Node(
                nodes.draw_calibration,
                ["predictions", "calibration", "params:class_names", "params:backbone"],
                "calibration_figure",
                name="draw_calibration",
            ),
            Node(
                nodes.draw_worst_errors,
                ["predictions", "smears", "params:class_names", "params:evaluation", "params:backbone"],
                "worst_errors",
                name="draw_worst_errors",
            ),
            Node(
                nodes.write_report,
                ["metrics", "training_summary", "params:class_names", "params:backbone", *nodes.REPORT_FIGURES],
                "report",
                name="write_report",
            ),
        ]
    )
