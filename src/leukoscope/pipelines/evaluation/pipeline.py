"""The pipeline of evaluation: a template, which every model fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.evaluation import nodes
from leukoscope.pipelines.evaluation.records import keep_evaluation


def create_pipeline() -> Pipeline:
    """Make the template: a classifier to predictions, opinions, metrics and all that is gathered of them."""
    classes, options = "params:class_names", "params:evaluation"
    return Pipeline(
        [
            Node(
                nodes.predict_splits,
                ["model", "smears", "splits", classes, options],
                ["predictions", "features"],
                name="predict_splits",
            ),
            Node(
                nodes.calibrate_predictions,
                ["predictions", "features", "splits", classes, options],
                "calibration",
                name="calibrate_predictions",
            ),
            Node(
                nodes.form_opinions,
                ["predictions", "features", "calibration", classes],
                "opinions",
                name="form_opinions",
            ),
            Node(
                nodes.score_predictions,
                ["predictions", "opinions", "calibration", "splits", classes, options, "params:seed"],
                "metrics",
                name="score_predictions",
            ),
            Node(
                nodes.record_evaluation,
                ["metrics", "features", "splits", "manifest", "params:model", options, "params:splitting"],
                "evaluations",
                name="record_evaluation",
            ),
            Node(
                keep_evaluation,
                [
                    "predictions",
                    "metrics",
                    "features",
                    "splits",
                    "manifest",
                    classes,
                    "params:splitting",
                    "params:seed",
                ],
                "runs",
                name="keep_evaluation",
            ),
            Node(
                nodes.summarise_evaluation,
                [
                    "metrics",
                    "robustness_summary",
                    "training_summary",
                    "params:model",
                    "manifest",
                    "params:data_sheet",
                ],
                "summary",
                name="summarise_evaluation",
            ),
            Node(
                nodes.describe_evaluation,
                [
                    "predictions",
                    "opinions",
                    "smears",
                    classes,
                    options,
                    "splits",
                    "evaluations",
                    "params:model",
                    *nodes.PICTURES,
                ],
                "display",
                name="describe_evaluation",
            ),
            Node(
                nodes.gather_result,
                [
                    "summary",
                    "display",
                    "metrics",
                    "calibration",
                    "training_summary",
                    "history",
                    "robustness",
                    "outliers",
                ],
                "result",
                name="gather_result",
            ),
        ]
    )
