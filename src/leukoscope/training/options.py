"""Model entries of each kind."""

from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from leukoscope.core.options import Options
from leukoscope.models import architecture
from leukoscope.training.augmentation_options import AugmentationDifferences, AugmentationRecipe
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe, RecipeDifferences, ResolvedRecipe, require_weights, resolve_recipe


class _TrainedNetwork(ModelOptions):
    """What kinds have in common whose models are one network, trained by the shared recipe.

    Attributes:
        training: Differences from the shared recipe.
        augmentation: Differences from the shared augmentation.
    """

    training: RecipeDifferences = RecipeDifferences()  # type: ignore[valid-type]
    augmentation: AugmentationDifferences = AugmentationDifferences()  # type: ignore[valid-type]

    @property
    def network(self) -> str:
        """What is built, as ``architecture.get`` takes it."""
        raise NotImplementedError

    @property
    def teacher(self) -> str | None:
        """The entry that it learns from, if there is one."""
        distillation = getattr(self.training, "distillation", None)
        return distillation.teacher if distillation else None

    def resolve(self, shared: Recipe) -> ResolvedRecipe:
        """Give the recipe in force.

        Args:
            shared: The recipe of all models.

        Raises:
            InputError: It does not fit what is built.
        """
        return resolve_recipe(self.network, shared, self.training, self.name)

    def require_files(self, shared: Recipe) -> None:
        """Make sure that the weights file can be read, if there is one."""
        require_weights(self.name, architecture.get(self.network), self.resolve(shared))

    def join_augmentation(self, shared: AugmentationRecipe) -> AugmentationRecipe:
        """Give the augmentation in force."""
        return shared.join(self.augmentation)

    def describe_kind(self) -> dict[str, Any]:
        """Name the kind, and what is built."""
        return {"kind": self.kind, "architecture": self.network}


class NetworkOptions(_TrainedNetwork):
    """An entry of the kind ``network``: one architecture, trained by the shared recipe with these differences.

    Attributes:
        kind: What sort of model it is.
        architecture: A registered one.
        attention: What is added after each of its blocks: ``eca`` or ``se``.
    """

    kind: Literal["network"]
    architecture: str
    attention: Literal["eca", "se"] | None = None

    @field_validator("architecture")
    @classmethod
    def _require_architecture(cls, name: str) -> str:
        architecture.require(name)
        return name

    @property
    def network(self) -> str:
        """What is built: the architecture, with the attention that is added to it, like ``vgg16-eca``."""
        return architecture.name_with_attention(self.architecture, self.attention)

    @property
    def title(self) -> str:
        """Its label, or the architecture's title, or its own name where the two are called differently."""
        if self.label:
            return self.label
        return architecture.get(self.architecture).title if self.name == self.network else self.name


class FusionOptions(_TrainedNetwork):
    """An entry of the kind ``fusion``: one network with several architectures side by side.

    Attributes:
        kind: What sort of model it is.
        members: Registered architectures, two or more, each once.
    """

    kind: Literal["fusion"]
    members: tuple[str, ...] = Field(min_length=2)

    @field_validator("members")
    @classmethod
    def _require_members(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        _require_once("members", members, "architecture")
        for name in members:
            architecture.require(name)
        return members

    @property
    def network(self) -> str:
        """What is built: all of them together, like ``vgg16.mobilenet``."""
        return architecture.JOINT.join(self.members)


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
    """

    kind: Literal["crafted"]
    classifier: Method
    features: tuple[Group, ...] = Field(min_length=1)

    @field_validator("features")
    @classmethod
    def _require_features(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        _require_once("features", features, "group")
        return tuple(name for name in get_args(Group) if name in features)

    def resolve(self, shared: Recipe) -> CraftedRecipe:
        """Give the recipe in force, to which that of networks does not apply."""
        return CraftedRecipe(classifier=self.classifier, features=self.features)


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
        _require_once("members", members, "model")
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
    "crafted": CraftedOptions,
    "ensemble": EnsembleOptions,
    "views": ViewsOptions,
}


def _require_once(field: str, names: tuple[str, ...], what: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{field} are {', '.join(names)}: name each {what} once")
