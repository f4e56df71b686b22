"""The promotion pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.promote import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from a second reader to the registry, if it beats the champion."""
    return make_stage(
        "promote",
        [
            Node(
                nodes.judge_candidate,
                [
                    "reader",
                    "reader_registry",
                    "smears",
                    "splits",
                    "evaluations",
                    "params:promotion",
                    "params:evaluation",
                    "params:seed",
                ],
                "judgement",
                name="judge_candidate",
            ),
            Node(
                nodes.register_reader,
                ["reader", "judgement", "model_cards", "params:serving"],
                "registration",
                name="register_reader",
            ),
            Node(nodes.record_promotion, ["judgement", "registration"], "promotion", name="record_promotion"),
        ],
    )
