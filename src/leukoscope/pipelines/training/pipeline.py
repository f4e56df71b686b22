"""The pipelines of training: a template for each kind, which every model fills in its own namespace."""

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.training import crafted, nodes

_RECIPE = Node(nodes.resolve_recipe, ["params:training", "params:model"], "recipe", name="resolve_recipe")
_GIVEN = ["recipe", "params:augmentation", "params:class_names", "smears"]
_BEHIND = ["splits", "params:splitting", "params:seed"]
_MADE = ["model", "history", "training_summary"]


def create_pipeline(kind: str) -> Pipeline:
    """Make the template: packed images, plan and splits to a classifier, its history and curves.

    Args:
        kind: Of the model.
    """
    return _create_crafted() if kind == "crafted" else _create_network()


def _create_network() -> Pipeline:
    return Pipeline(
        [
            _RECIPE,
            Node(
                nodes.prepare_training,
                [*_GIVEN, "training_plan", *_BEHIND],
                "journal",
                name="prepare_training",
            ),
            Node(
                nodes.train_classifier,
                ["journal", "software", "smears", "training_plan", "splits", "params:model"],
                _MADE,
                name="train_classifier",
            ),
            Node(
                nodes.draw_learning_curves, ["history", "params:model"], "learning_curves", name="draw_learning_curves"
            ),
        ]
    )


def _create_crafted() -> Pipeline:
    return Pipeline(
        [
            _RECIPE,
            Node(crafted.prepare_training, [*_GIVEN, *_BEHIND], "journal", name="prepare_training"),
            Node(
                crafted.train_classifier,
                ["journal", "software", "smears", "splits", "measurements", "params:model"],
                _MADE,
                name="train_classifier",
            ),
        ]
    )
