"""The pipelines of training: a template for each kind, which every model fills in its own namespace."""

from collections.abc import Callable, Sequence
from typing import Any

from kedro.pipeline import Node, Pipeline

from leukoscope.pipelines.training import crafted, ensemble, nodes

_RECIPE = Node(nodes.resolve_recipe, ["params:training", "params:model"], "recipe", name="resolve_recipe")
_GIVEN = ["recipe", "params:augmentation", "params:class_names", "smears"]
_BEHIND = ["splits", "params:splitting", "params:seed"]
# What an ensemble takes of each member: what its template calls that, and the data set.
_OF_MEMBERS = {
    "{}_model": "{}.model",
    "{}_predictions": "{}.predictions",
    "{}_training_summary": "{}.training_summary",
    "{}_features": "{}_features",
}
_MADE = ["model", "history", "training_summary"]


def create_pipeline(kind: str, members: Sequence[str] = ()) -> Pipeline:
    """Make the template: packed images, plan and splits to a classifier and its history.

    Args:
        kind: Of the model.
        members: The models that it is made of.
    """
    if kind == "ensemble":
        return _create_ensemble(members)
    return _create_crafted() if kind == "crafted" else _create_network()


def _create_network() -> Pipeline:
    return Pipeline(
        [
            _RECIPE,
            Node(
                nodes.resolve_augmentation,
                ["params:augmentation", "params:model", "recipe", "params:class_names", "splits", "generated_images"],
                "augmentation",
                name="resolve_augmentation",
            ),
            Node(
                nodes.prepare_training,
                ["recipe", "augmentation", "params:class_names", "smears", "training_plan", *_BEHIND],
                "journal",
                name="prepare_training",
            ),
            Node(
                nodes.train_classifier,
                ["journal", "software", "smears", "training_plan", "splits", "params:model", "generated_images"],
                _MADE,
                name="train_classifier",
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


def _create_ensemble(members: Sequence[str]) -> Pipeline:
    prepared = ["recipe", "member_features", "member_summaries", "params:class_names", *_BEHIND]
    learned = ["journal", "software", "members", "member_predictions", "member_summaries", "splits", "params:model"]
    collected = [
        _collect(ensemble.collect_models, ["recipe"], "{}_model", members, "members"),
        _collect(ensemble.collect_summaries, ["recipe", "splits"], "{}_training_summary", members, "member_summaries"),
        Node(ensemble.prepare_training, prepared, "journal", name="prepare_training"),
        Node(ensemble.train_classifier, learned, _MADE, name="train_classifier"),
    ]
    return Pipeline([_RECIPE, *collected]) + _collect_evaluations(members)


def create_vote_pipeline(members: Sequence[str]) -> Pipeline:
    """Make the template that predicts every image by what an ensemble's members say of it.

    Args:
        members: The models that it is made of.
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
    """List the data sets of its members that an ensemble takes, by what its template calls them."""
    return {own.format(name): given.format(name) for name in members for own, given in _OF_MEMBERS.items()}


def _collect_evaluations(members: Sequence[str]) -> Pipeline:
    given = ["recipe", "splits"]
    return Pipeline(
        [
            _collect(ensemble.collect_predictions, given, "{}_predictions", members, "member_predictions"),
            _collect(ensemble.collect_features, given, "{}_features", members, "member_features"),
        ]
    )


def _collect(function: Callable[..., Any], given: list[str], taken: str, members: Sequence[str], made: str) -> Node:
    return Node(function, [*given, *(taken.format(name) for name in members)], made, name=function.__name__)
