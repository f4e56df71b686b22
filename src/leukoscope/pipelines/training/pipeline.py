"""The training pipelines: a template for each kind, instantiated for every model in its own namespace."""

from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.training import cells, crafted, ensemble, nodes, student, views

_RECIPE = Node(nodes.resolve_recipe, ["params:training", "params:model"], "recipe", name="resolve_recipe")
_BEHIND = ["splits", "params:splitting", "params:seed"]
# The data sets that a model takes from each of its members, by their names in the model's template.
_OF_MEMBERS = {
    "{}_model": "{}.model",
    "{}_predictions": "{}.predictions",
    "{}_features": "{}_features",
    "{}_training_summary": "{}.training_summary",
}
_MADE = ["model", "history", "training_summary"]


@cache
def create_pipeline(
    kind: str, members: tuple[str, ...] = (), teacher: str | None = None, found: bool = False
) -> Pipeline:
    """Create the template from packed images, plan and splits to a classifier and its history.

    Args:
        kind: The model's kind.
        members: The models that it consists of.
        teacher: The model that it learns from.
        found: Whether a crafted model measures the cells found by the pipeline `cells`.
    """
    match kind:
        case "ensemble":
            return _create_ensemble(members)
        case "views":
            return _create_views(members)
        case "crafted":
            return _create_crafted(found)
        case "cells":
            return _create_cells(teacher)
        case _:
            return _create_network(teacher)


def _create_cells(teacher: str | None = None) -> Pipeline:
    """Create the template of a network with strips of cells instead of packed images."""
    taken = ["smears", "cells", "cell_size", "splits", "params:cells", "params:model", "params:seed"]
    cutting = Node(cells.cut_out_strips, taken, "strips", name="cut_out_strips")
    return Pipeline([cutting]) + _create_network(teacher, "strips", cells, "known_cells")


def _create_network(
    teacher: str | None = None,
    images: str = "smears",
    room: ModuleType = nodes,
    beside: str = "generated_images",
) -> Pipeline:
    recipe = "recipe"
    trained = ["journal", "software", images, "training_plan", "splits", "params:model", beside]
    taught = []
    if teacher is not None:
        of_teacher = list_taken([teacher])
        taught = [
            Node(student.collect_teaching, [recipe, "splits", *of_teacher], "teaching", name="collect_teaching"),
            Node(student.name_teacher, [recipe, "teaching"], "taught_recipe", name="name_teacher"),
        ]
        recipe = "taught_recipe"
        trained = [*trained, "teaching"]
    prepared = [recipe, "augmentation", "params:class_names", images, "training_plan", *_BEHIND]
    return Pipeline(
        [
            _RECIPE,
            *taught,
            Node(
                nodes.resolve_augmentation,
                ["params:augmentation", "params:model", recipe, "params:class_names", "splits", "generated_images"],
                "augmentation",
                name="resolve_augmentation",
            ),
            Node(room.prepare_training, prepared, "journal", name="prepare_training"),
            Node(room.train_classifier, trained, _MADE, name="train_classifier"),
        ]
    )


def _create_crafted(found: bool) -> Pipeline:
    prepared = ["recipe", "params:augmentation", "params:class_names", "smears", *_BEHIND]
    trained = ["journal", "software", "smears", "splits", "measurements", "params:model"]
    taken = ["smears", "cells", "cell_size", "splits", "params:cells"]
    finding = [Node(crafted.take_found_cells, taken, "found_cells", name="take_found_cells")] if found else []
    inputs = ["found_cells"] if found else []
    return Pipeline(
        [
            _RECIPE,
            *finding,
            Node(crafted.prepare_training, [*prepared, *inputs], "journal", name="prepare_training"),
            Node(crafted.train_classifier, [*trained, *inputs], _MADE, name="train_classifier"),
        ]
    )


def _create_views(members: Sequence[str]) -> Pipeline:
    made_of = ["journal", "software", "members", "params:model"]
    return Pipeline(
        [
            _RECIPE,
            *_collect_models(members),
            Node(views.prepare_training, ["recipe", "members", *_BEHIND], "journal", name="prepare_training"),
            Node(views.train_classifier, made_of, ["model", "history"], name="train_classifier"),
            Node(
                views.describe_training, ["journal", "member_summaries"], "training_summary", name="describe_training"
            ),
        ]
    )


def _create_ensemble(members: Sequence[str]) -> Pipeline:
    prepared = ["recipe", "member_features", "member_summaries", "params:class_names", *_BEHIND]
    learned = ["journal", "software", "members", "member_predictions", "member_summaries", "splits", "params:model"]
    learning = [
        Node(ensemble.prepare_training, prepared, "journal", name="prepare_training"),
        Node(ensemble.train_classifier, learned, _MADE, name="train_classifier"),
    ]
    return Pipeline([_RECIPE, *_collect_models(members), *learning]) + _collect_evaluations(members)


def create_vote_pipeline(members: Sequence[str]) -> Pipeline:
    """Create the template that predicts every image from the predictions of an ensemble's members.

    Args:
        members: The models that the ensemble consists of.
    """
    combined = ["model", "member_predictions", "member_features", "splits", "params:class_names", "recipe"]
    judged = ["predictions", "member_predictions", "training_summary", "splits", "params:evaluation", "params:model"]
    return _collect_evaluations(members) + Pipeline(
        [
            Node(
                ensemble.combine_predictions,
                [*combined, "params:seed"],
                ["predictions", "features"],
                name="combine_predictions",
            ),
            Node(ensemble.judge_vote, [*judged, "params:seed"], "vote", name="judge_vote"),
        ]
    )


def list_taken(members: Sequence[str]) -> dict[str, str]:
    """List the data sets that a model takes from its members, by their names in the model's template."""
    return {ours.format(name): theirs.format(name) for name in members for ours, theirs in _OF_MEMBERS.items()}


def _collect_models(members: Sequence[str]) -> list[Node]:
    inputs = ["recipe", "splits"]
    return [
        _collect(ensemble.collect_models, ["recipe"], "{}_model", members, "members"),
        _collect(ensemble.collect_summaries, inputs, "{}_training_summary", members, "member_summaries"),
    ]


def _collect_evaluations(members: Sequence[str]) -> Pipeline:
    inputs = ["recipe", "splits"]
    return Pipeline(
        [
            _collect(ensemble.collect_predictions, inputs, "{}_predictions", members, "member_predictions"),
            _collect(ensemble.collect_features, inputs, "{}_features", members, "member_features"),
        ]
    )


def _collect(function: Callable[..., Any], inputs: list[str], taken: str, members: Sequence[str], made: str) -> Node:
    return Node(function, [*inputs, *(taken.format(name) for name in members)], made, name=function.__name__)
