"""Model entries: what is said of a model that is to be trained."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from leukoscope.core.options import Options
from leukoscope.models import architecture
from leukoscope.training.augmentation_options import AugmentationDifferences, AugmentationRecipe
from leukoscope.training.recipe import Recipe, RecipeDifferences, ResolvedRecipe, require_weights, resolve_recipe


class Published(Options):
    """Figures of the published study, to stand beside ours."""

    train_accuracy: float | None = Field(default=None, ge=0, le=1)
    test_accuracy: float | None = Field(default=None, ge=0, le=1)
    seconds_per_epoch: float | None = Field(default=None, gt=0)

    def as_report(self) -> dict[str, float | None]:
        """Give each figure a name that marks it as the report's: ``report_test_accuracy`` and so on."""
        return {f"report_{name}": value for name, value in self.model_dump().items()}


class ModelOptions(Options):
    """An entry of any kind: validating one as this gives the options of its kind.

    Kedro validates a parameter by one class, so that the kinds are told apart here and not by a union of types.

    Attributes:
        name: Its own, that of its pipeline and namespace.
        kind: What sort of model it is, one of ``KINDS``.
        default: Whether `kedro run` without a pipeline trains it; the pipeline `systems` trains every entry.
        label: Its name in figures and tables; by default its own.
        published: What a study says that it reached.
    """

    name: str
    kind: str
    default: bool = True
    label: str | None = None
    published: Published = Published()

    @model_validator(mode="wrap")
    @classmethod
    def _choose_kind(cls, values: Any, validate: Callable[[Any], Any]) -> Any:
        if isinstance(values, cls):
            return values
        if cls is not ModelOptions or not isinstance(values, dict):
            return validate(values)
        return _find_kind(values).model_validate(values)

    @property
    def title(self) -> str:
        """Its name in figures and tables."""
        return self.label or self.name

    def resolve(self, shared: Recipe) -> Options:
        """Give the recipe in force, in which nothing is left open.

        Args:
            shared: The recipe of all networks.

        Raises:
            InputError: It does not fit the model.
        """
        raise NotImplementedError

    def require_files(self, shared: Recipe) -> None:
        """Make sure that the files can be read that training starts from, before anything takes long.

        Args:
            shared: The recipe of all networks.

        Raises:
            InputError: One cannot be.
        """

    def join_augmentation(self, shared: AugmentationRecipe) -> AugmentationRecipe:
        """Join the ``shared`` augmentation of all models and its own differences, if it can have any."""
        return shared

    def describe_kind(self) -> dict[str, Any]:
        """Say what sort of model it is, in a few facts."""
        return {"kind": self.kind}

    def describe_recipe(self, shared: Recipe) -> dict[str, Any]:
        """Say what it is and by what ``recipe`` it is trained.

        Args:
            shared: The recipe of all networks.

        Raises:
            InputError: The recipe does not fit the model.
        """
        return self.describe_kind() | {"recipe": self.resolve(shared).model_dump()}


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

    def resolve(self, shared: Recipe) -> EnsembleRecipe:
        """Give the recipe in force, to which that of networks does not apply."""
        return EnsembleRecipe(members=self.members, weights=self.weights)


KINDS: dict[str, type[ModelOptions]] = {
    "network": NetworkOptions,
    "fusion": FusionOptions,
    "crafted": CraftedOptions,
    "ensemble": EnsembleOptions,
}


def _require_once(field: str, names: tuple[str, ...], what: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{field} are {', '.join(names)}: name each {what} once")


def _find_kind(entry: dict[str, Any]) -> type[ModelOptions]:
    kind = entry.get("kind")
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind]
    near = get_close_matches(str(kind), KINDS, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    unknown = PydanticCustomError("kind", f"there is no such kind: {hint}known are {', '.join(KINDS)}")
    fault = InitErrorDetails(type=unknown if "kind" in entry else "missing", loc=("kind",), input=kind)
    raise ValidationError.from_exception_data("ModelOptions", [fault])
