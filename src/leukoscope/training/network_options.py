"""Model entries of the kinds that consist of one network."""

from typing import Any, Literal

from pydantic import Field, field_validator

from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.architecture import CellReading
from leukoscope.training.augmentation_options import AugmentationDifferences, AugmentationRecipe
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import HEAD, Recipe, RecipeDifferences, ResolvedRecipe, require_weights, resolve_recipe


class TrainedNetworkOptions(ModelOptions):
    """Common options of the kinds whose models are one network, trained by the shared recipe.

    Attributes:
        training: Differences from the shared recipe.
        augmentation: Differences from the shared augmentation.
    """

    training: RecipeDifferences = RecipeDifferences()  # type: ignore[valid-type]
    augmentation: AugmentationDifferences = AugmentationDifferences()  # type: ignore[valid-type]

    @property
    def network(self) -> str:
        """The name of what is built, as ``architecture.get`` takes it."""
        raise NotImplementedError

    @property
    def teacher(self) -> str | None:
        """The entry that it learns from, if any."""
        distillation = getattr(self.training, "distillation", None)
        return distillation.teacher if distillation else None

    def resolve(self, shared: Recipe) -> ResolvedRecipe:
        """Return the recipe in effect.

        Args:
            shared: The recipe of all models.

        Raises:
            InputError: The recipe does not fit the network.
        """
        return resolve_recipe(self.network, shared, self.training, self.name)

    def require_files(self, shared: Recipe) -> None:
        """Check that the weights file can be read, if there is one."""
        require_weights(self.name, architecture.get(self.network), self.resolve(shared))

    def join_augmentation(self, shared: AugmentationRecipe) -> AugmentationRecipe:
        """Return the augmentation in effect."""
        return shared.join(self.augmentation)

    def describe_kind(self) -> dict[str, Any]:
        """Return the kind and the architecture."""
        return {"kind": self.kind, "architecture": self.network}


class SingleNetworkOptions(TrainedNetworkOptions):
    """Common options of the kinds whose network is one architecture, whole or up to one of its layers.

    Attributes:
        architecture: A registered one.
        layer: The name of the layer at which it ends; by default its last.
    """

    architecture: str
    layer: str | None = Field(default=None, min_length=1, pattern=r"^[A-Za-z0-9_.]+$")

    @field_validator("architecture")
    @classmethod
    def _require_architecture(cls, name: str) -> str:
        architecture.require(name)
        return name

    def resolve(self, shared: Recipe) -> ResolvedRecipe:
        """Return the recipe in effect.

        Raises:
            InputError: The recipe does not fit the network, or names blocks although the network ends at a layer.
        """
        recipe = super().resolve(shared)
        if self.layer and (recipe.trainable not in ("all", HEAD) or recipe.block_rates):
            raise InputError(
                f"{self.name} ends at the layer {self.layer}, and training.trainable or block_rates name blocks, which "
                f"may lie behind it. Set models.{self.name}.training.trainable to head or all, without block_rates. "
                f"Nothing was trained."
            )
        return recipe

    def require_files(self, shared: Recipe) -> None:
        """Check that the weights file can be read, and that the layer at which the network ends exists."""
        super().require_files(shared)
        if self.layer:
            from leukoscope.models.network import build_empty

            build_empty(self.network, self.resolve(shared), ["one", "other"])


class NetworkOptions(SingleNetworkOptions):
    """An entry of the kind ``network``: one architecture, trained by the shared recipe with these differences.

    Attributes:
        kind: What sort of model it is.
        attention: What is added after each of its blocks: ``eca`` or ``se``.
    """

    kind: Literal["network"]
    attention: Literal["eca", "se"] | None = None

    @property
    def network(self) -> str:
        """What is built: the architecture, with the attention that is added to it, like ``vgg16-eca``."""
        attended = architecture.name_with_attention(self.architecture, self.attention)
        return architecture.name_with_end(attended, self.layer)

    @property
    def title(self) -> str:
        """Its label, or the architecture's title, or its own name if it differs from the architecture's."""
        if self.label:
            return self.label
        return architecture.get(self.architecture).title if self.name == self.network else self.name


class FusionOptions(TrainedNetworkOptions):
    """An entry of the kind ``fusion``: one network with several architectures side by side.

    Attributes:
        kind: The kind of model.
        members: Registered architectures, two or more, each once.
    """

    kind: Literal["fusion"]
    members: tuple[str, ...] = Field(min_length=2)

    @field_validator("members")
    @classmethod
    def _require_members(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        require_once("members", members, "architecture")
        for name in members:
            architecture.require(name)
        return members

    @property
    def network(self) -> str:
        """The name of what is built: all members together, like ``vgg16.mobilenet``."""
        return architecture.JOINT.join(self.members)


class CellsOptions(SingleNetworkOptions):
    """An entry of the kind ``cells``: one network that reads the cells of a field one by one, and pools what it saw.

    Attributes:
        kind: What sort of model it is.
        pooling: How the cells of a field are brought together: by attention, or by their mean.
        background: What is around a cell in its crop.
        grey: Whether cells are seen without colour.
        bag: Cells of a field that a training step sees at most; prediction reads all.
    """

    kind: Literal["cells"]
    pooling: Literal["attention", "mean"] = "attention"
    background: Literal["neutral", "kept"] = "neutral"
    grey: bool = False
    bag: int = Field(default=16, ge=1, le=256)

    @field_validator("augmentation")
    @classmethod
    def _require_whole_cells(cls, augmentation: Any) -> Any:
        if changing := _list_changing(augmentation):
            raise ValueError(_explain_changing(changing))
        return augmentation

    @property
    def network(self) -> str:
        """What is built, like ``mobilenet_v2-cells-attention``."""
        reading = CellReading(self.pooling, self.grey)
        return architecture.name_with_end(architecture.name_of_cells(self.architecture, reading), self.layer)

    def resolve(self, shared: Recipe) -> ResolvedRecipe:
        """Return the recipe in effect.

        Raises:
            InputError: The recipe does not fit the network, or normalises colours, which only whole fields support; or
                it fits the last layer alone although there is attention.
        """
        recipe = super().resolve(shared)
        if recipe.normalisation != "none":
            raise InputError(
                f"training.normalisation is {recipe.normalisation}, which measures whole fields, and {self.name} reads "
                f"single cells. Set models.{self.name}.training.normalisation=none. Nothing was trained."
            )
        if recipe.converges and self.pooling == "attention":
            raise InputError(
                f"training.optimizer is lbfgs, which fits the last layer alone, and the attention of {self.name} "
                f"trains too. Set models.{self.name}.pooling=mean, or training.optimizer=adam. Nothing was trained."
            )
        return recipe

    def join_augmentation(self, shared: AugmentationRecipe) -> AugmentationRecipe:
        """Return the augmentation in effect for single cells.

        Raises:
            InputError: Images are to be mixed or replaced, which is impossible for strips of cells.
        """
        joined = super().join_augmentation(shared)
        if changing := _list_changing(joined):
            ways = ", ".join(f"models.{self.name}.augmentation.{name}=0" for name in changing)
            raise InputError(
                f"augmentation has {' and '.join(changing)}, and {self.name} reads single cells: "
                f"{_explain_changing(changing)}. Set {ways}. Nothing was trained."
            )
        return joined

    def describe_kind(self) -> dict[str, Any]:
        """Return the kind, the architecture, and what it sees of a field."""
        return super().describe_kind() | {"background": self.background, "bag": self.bag}


def _list_changing(augmentation: Any) -> list[str]:
    """List the augmentations in use that change a batch of whole fields."""
    return [name for name in ("mixup", "cutmix", "synthetic") if getattr(augmentation, name)]


def _explain_changing(names: list[str]) -> str:
    verb = "mix" if "synthetic" not in names else "replace"
    return f"{' and '.join(names)} would {verb} whole fields, of which the cells were found before"


def require_once(field: str, names: tuple[str, ...], what: str) -> None:
    """Check that a list has no duplicates.

    Args:
        field: Name of the entry's field.
        names: The names in it.
        what: What each name stands for.

    Raises:
        ValueError: A name occurs twice.
    """
    if len(set(names)) < len(names):
        raise ValueError(f"{field} are {', '.join(names)}: name each {what} once")
