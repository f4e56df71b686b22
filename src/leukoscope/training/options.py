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
    """How a classifier of hand-made measurements is trained.

    Attributes:
        classifier: A method of scikit-learn.
        features: The groups of measurements that it sees.
    """

    classifier: Method
    features: tuple[Group, ...] = Field(min_length=1)


class CraftedOptions(ModelOptions):
    """An entry of the kind ``crafted``: a classical classifier of measurements of a field's leukocytes.

    Attributes:
        kind: What sort of model it is.
        classifier: A method of scikit-learn.
        features: The groups of measurements that it sees, each once.
        cells: Whose measurements: those of its own segmentation, or those that the pipeline `cells` finds.
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
        """Give the recipe in force, to which that of networks does not apply."""
        return CraftedRecipe(classifier=self.classifier, features=self.features)

    def describe_kind(self) -> dict[str, Any]:
        """Name the kind; only of found cells whose, so that trainings of before are still the same."""
        return super().describe_kind() | ({"cells": self.cells} if self.cells == "found" else {})


class EnsembleRecipe(Options):
    """How several models vote.

    Attributes:
        members: Their entries, in order.
        weights: What their weights are learned by, on validation images.
    """

    members: tuple[str, ...] = Field(min_length=1)
    weights: Rule


class EnsembleOptions(ModelOptions):
    """An entry of the kind ``ensemble``: a vote of models that are trained by themselves.

    Attributes:
        kind: What sort of model it is.
        members: Entries of other kinds, each once.
        weights: What their weights are learned by, on validation images.
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
        """The entries that it is made of."""
        return self.members

    def resolve(self, shared: Recipe) -> EnsembleRecipe:
        """Give the recipe in force, to which that of networks does not apply."""
        return EnsembleRecipe(members=self.members, weights=self.weights)


class ViewsRecipe(Options):
    """How a model sees fields in several views.

    Attributes:
        members: The entry of the model that sees them.
        views: Which.
    """

    members: tuple[str]
    views: Views


class ViewsOptions(ModelOptions):
    """An entry of the kind ``views``: another model that answers by the mean over several views of each field.

    Attributes:
        kind: What sort of model it is.
        member: The entry of the model, of any other kind.
        views: The eight symmetries of the square, or eight rotations by 45 degrees each.
    """

    kind: Literal["views"]
    member: str
    views: Views = "symmetries"

    @property
    def parts(self) -> tuple[str, ...]:
        """The entries that it is made of."""
        return (self.member,)

    def resolve(self, shared: Recipe) -> ViewsRecipe:
        """Give the recipe in force, to which that of networks does not apply."""
        return ViewsRecipe(members=(self.member,), views=self.views)


KINDS: dict[str, type[ModelOptions]] = {
    "network": NetworkOptions,
    "fusion": FusionOptions,
    "cells": CellsOptions,
    "crafted": CraftedOptions,
    "ensemble": EnsembleOptions,
    "views": ViewsOptions,
}
