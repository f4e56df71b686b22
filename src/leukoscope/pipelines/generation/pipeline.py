"""The generation pipeline."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.generation import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from packed images and splits to a set of generated images, its metrics and a montage."""
    return make_stage(
        "generate",
        [
            Node(
                nodes.prepare_generation,
                [
                    "params:generation",
                    "params:class_names",
                    "smears",
                    "splits",
                    "params:splitting",
                    "params:seed",
                ],
                "generator_journal",
                name="prepare_generation",
            ),
            Node(
                nodes.generate_images,
                ["generator_journal", "software", "smears", "splits", "params:generation"],
                ["generated_images", "generation_summary"],
                name="generate_images",
            ),
            Node(
                nodes.judge_generated,
                ["generated_images", "smears", "splits", "params:generation", "params:seed"],
                "generation_metrics",
                name="judge_generated",
            ),
            Node(
                nodes.draw_generated,
                ["generated_images", "smears", "splits"],
                "generation_montage",
                name="draw_generated",
            ),
        ],
    )
