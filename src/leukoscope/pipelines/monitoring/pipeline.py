"""The monitoring pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.monitoring import nodes
from leukoscope.pipelines.reporting.pipeline import create_frame_pipeline


def create_pipeline() -> Pipeline:
    """Create the pipeline from the log of opinions and the evaluated models to alarms and a page."""
    options = "params:monitoring"
    seed = "params:seed"
    evaluated = ["calibrations", "evaluated_predictions", "evaluated_features", "splits", "params:class_names"]
    about = ["manifest", "page_frame", "params:models", options]
    return create_frame_pipeline() + make_stage(
        "monitoring",
        [
            Node(nodes.set_retention, options, "opinion_log", name="set_retention"),
            Node(
                nodes.summarise_validation,
                ["opinion_log", *evaluated],
                "validation_facts",
                name="summarise_validation",
            ),
            Node(
                nodes.judge_windows,
                ["opinion_log", "validation_facts", options, seed],
                "monitoring",
                name="judge_windows",
            ),
            Node(nodes.count_alarms, ["monitoring"], "monitoring_metrics", name="count_alarms"),
            Node(nodes.write_monitoring, ["monitoring", *about], "monitoring_page", name="write_monitoring"),
            Node(
                nodes.require_no_alarm,
                ["monitoring", "monitoring_page", options],
                "monitoring_end",
                name="require_no_alarm",
            ),
        ],
    )
