"""The pipeline of training: a template, which every model fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.training.nodes import draw_learning_curves, prepare_training, train_classifier


def create_pipeline() -> Pipeline:
    """Make the template: packed images, plan and splits to a classifier, its history and curves."""
    return Pipeline(
        [
            Node(
                prepare_training,
                [
                    "params:training",
                    "params:model",
                    "params:augmentation",
                    "params:class_names",
                    "smears",
                    "training_plan",
                    "splits",
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
            Node(draw_learning_curves, ["history", "params:model"], "learning_curves", name="draw_learning_curves"),
        ]
    )
