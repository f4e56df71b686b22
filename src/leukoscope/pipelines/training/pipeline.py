"""The pipeline of training: a template, which every model fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.training.nodes import prepare_training, resolve_recipe, train_classifier


def create_pipeline() -> Pipeline:
    """Make the template: packed images, plan and splits to a classifier and its history."""
    return Pipeline(
        [
            Node(resolve_recipe, ["params:training", "params:model"], "recipe", name="resolve_recipe"),
            Node(
                prepare_training,
                [
                    "recipe",
                    "params:augmentation",
                    "params:class_names",
                    "smears",
                    "training_plan",
                    "splits",
                    "params:splitting",
                    "params:seed",
                ],
                "journal",
                name="prepare_training",
            ),
            Node(
                train_classifier,
                ["journal", "software", "smears", "training_plan", "splits", "params:model"],
                ["model", "history", "training_summary"],
                name="train_classifier",
            ),
        ]
    )
