"""The evaluation pipeline: a template instantiated for every model in its own namespace."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.evaluation import nodes, results
from leukoscope.pipelines.evaluation.records import keep_evaluation
from leukoscope.pipelines.training.pipeline import create_vote_pipeline


def create_pipeline(kind: str, members: Sequence[str] = ()) -> Pipeline:
    """Create the template from a classifier to predictions, opinions, metrics and the collected result.

    Args:
        kind: The model's kind.
        members: The models that it consists of.
    """
    predicting = create_vote_pipeline(members) if kind == "ensemble" else _create_predicting()
    vote = ["vote"] if kind == "ensemble" else []
    return predicting + _create_judging() + _create_keeping() + _create_gathering(vote)


def _create_predicting() -> Pipeline:
    inputs = ["model", "smears", "splits", "params:class_names", "params:evaluation"]
    return Pipeline([Node(nodes.predict_splits, inputs, ["predictions", "features"], name="predict_splits")])


def _create_judging() -> Pipeline:
    classes = "params:class_names"
    options = "params:evaluation"
    return Pipeline(
        [
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
        ]
    )


def _create_keeping() -> Pipeline:
    """Create the part that counts the evaluation and stores it beside its training."""
    return Pipeline(
        [
            Node(
                results.record_evaluation,
                ["metrics", "features", "splits", "manifest", "params:model", "params:evaluation", "params:splitting"],
                "evaluations",
                name="record_evaluation",
            ),
            Node(
                keep_evaluation,
                {name: name for name in ("predictions", "metrics", "features", "splits", "manifest")}
                | {name: f"params:{name}" for name in ("class_names", "splitting", "seed")}
                | {"colour_baseline": "colour_baseline"},
                "runs",
                name="keep_evaluation",
            ),
        ]
    )


def _create_gathering(vote: Sequence[str]) -> Pipeline:
    """Create the part that collects what comparison and reports need."""
    about = ["params:model", "manifest", "params:data_sheet", "params:splitting"]
    judged = ["predictions", "opinions", "smears", "params:class_names", "params:evaluation", "splits", "evaluations"]
    parts = ["summary", "display", "metrics", "calibration", "training_summary", "history", "robustness", "outliers"]
    return Pipeline(
        [
            Node(
                results.summarise_evaluation,
                ["metrics", "robustness_summary", "training_summary", *about],
                "summary",
                name="summarise_evaluation",
            ),
            Node(results.describe_evaluation, [*judged, "params:model"], "display", name="describe_evaluation"),
            Node(results.gather_result, [*parts, *vote], "result", name="gather_result"),
            Node(results.draw_result, "result", "pictures", name="draw_result"),
        ]
    )
