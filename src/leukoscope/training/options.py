"""Model entries of each kind."""

from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from leukoscope.core.options import Options
from leukoscope.training.entry import ModelOptions
from leukoscope.training.network_options import CellsOptions, FusionOptions, NetworkOptions, require_once
from leukoscope.training.recipe import Recipe

Method = Literal["knn", "svm", "random_forest", "gradient_boosting"]
Group = Literal["shape", "texture", "colour"]
Views = Literal["symmetries", "rotations"]
Rule = Literal["kappa", "accuracy", "f1", "auc", "equal", "log_loss", "stacking"]


class CraftedRecipe(Options):
    """How a classifier of hand-crafted measurements is trained.

    Attributes:
        classifier: A scikit-learn method.
        features: The groups of measurements that it sees.
    """

    classifier: Method
    features: tuple[Group, ...] = Field(min_length=1)


class CraftedOptions(ModelOptions):
    """An entry of the kind ``crafted``: a classical classifier of measurements of a field's leukocytes.

    Attributes:
        kind: The kind of model.
        classifier: A scikit-learn method.
        features: The groups of measurements that it sees, each once.
        cells: Which cells are measured: those of its own segmentation, or those that the pipeline `cells` finds.
    """

    kind: Literal["crafted"]
    classifier: Method
    features: tuple[Group, ...] = Field(min_length=1)
    cells: Literal["own", "found"] = "own"

    @field_validator("features")
    @classmethod
    def _require_features(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        require_once("features", features, "group")
        return tuple(name for name in get_args(Group) if name in features)

    def resolve(self, shared: Recipe) -> CraftedRecipe:
        """Return the recipe in effect; the networks' recipe does not apply to it."""
        return CraftedRecipe(classifier=self.classifier, features=self.features)

    def describe_kind(self) -> dict[str, Any]:
        """Return the kind, and the cells only if they are found ones, so that earlier trainings keep their keys."""
        return super().describe_kind() | ({"cells": self.cells} if self.cells == "found" else {})


class EnsembleRecipe(Options):
    """How several models vote.

    Attributes:
        members: The members' entries, in order.
        weights: The rule by which their weights are learned on validation images.
    """

    members: tuple[str, ...] = Field(min_length=1)
    weights: Rule


class EnsembleOptions(ModelOptions):
    """An entry of the kind ``ensemble``: a vote of independently trained models.

    Attributes:
        kind: The kind of model.
        members: Entries of other kinds, each once.
        weights: The rule by which their weights are learned on validation images.
    """

    kind: Literal["ensemble"]
    members: tuple[str, ...] = Field(min_length=1)
    weights: Rule = "kappa"

    @field_validator("members")
    @classmethod
    def _require_members(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        require_once("members", members, "model")
        return members

    @property
    def parts(self) -> tuple[str, ...]:
        """The entries that it consists of."""
        return self.members

    def resolve(self, shared: Recipe) -> EnsembleRecipe:
        """Return the recipe in effect; the networks' recipe does not apply to it."""
        return EnsembleRecipe(members=self.members, weights=self.weights)


class ViewsRecipe(Options):
    """How a model sees fields in several views.

    Attributes:
        members: The entry of the model that sees the fields.
        views: The name of the views.
    """

    members: tuple[str]
    views: Views


class ViewsOptions(ModelOptions):
    """An entry of the kind ``views``: another model, whose predictions are averaged over several views of each field.

    Attributes:
        kind: The kind of model.
        member: The entry of the model, of any other kind.
        views: The eight symmetries of the square, or eight rotations in steps of 45 degrees.
    """

    kind: Literal["views"]
    member: str
    views: Views = "symmetries"

    @property
    def parts(self) -> tuple[str, ...]:
        """The entries that it consists of."""
        return (self.member,)

    def resolve(self, shared: Recipe) -> ViewsRecipe:
        """Return the recipe in effect; the networks' recipe does not apply to it."""
        return ViewsRecipe(members=(self.member,), views=self.views)


KINDS: dict[str, type[ModelOptions]] = {
    "network": NetworkOptions,
    "fusion": FusionOptions,
    "cells": CellsOptions,
    "crafted": CraftedOptions,
    "ensemble": EnsembleOptions,
    "views": ViewsOptions,
}
