"""The training recipe: its parameters, and how a model's differences are joined with it."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from leukoscope.core.errors import InputError
from leukoscope.core.options import Options, differences
from leukoscope.features.macenko import MacenkoTarget
from leukoscope.features.normalisation import StainTarget
from leukoscope.models import architecture
from leukoscope.models.imported import find_pixels

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
Schedule = Literal["constant", "cosine", "exponential"]
Pixels = Literal["caffe", "tf", "torch"]
Normalisation = Literal["none", "reinhard", "macenko"]
STEM = "stem"
HEAD = "head"
LBFGS = "lbfgs"


class Distillation(Options):
    """How a student learns from a teacher (Hinton et al. 2015, Distilling the knowledge in a neural network).

    Attributes:
        teacher: The entry of a model of any kind, which was trained and evaluated on the same splits.
        temperature: The divisor of both models' log-probabilities, which makes small probabilities more informative.
        share: Weight of the teacher's term in the loss; the rest is the true classes'.
    """

    teacher: str
    temperature: PositiveFloat = 4.0
    share: float = Field(default=0.5, gt=0, le=1)


class Recipe(Options):
    """How a classifier is trained; ``null`` in the first group means the architecture's own value."""

    input_size: PositiveInt | None = None
    centre_crop: float = Field(default=1.0, ge=0.1, le=1)
    batch_size: PositiveInt | None = None
    dropout: float | None = Field(default=None, ge=0, lt=1)
    head_norm: bool = False
    weights: str = "imagenet"
    pixels: Pixels | None = None
    normalisation: Normalisation = "none"
    trainable: str = "all"
    head_epochs: NonNegativeInt = 0
    head_learning_rate: PositiveFloat = 1e-3
    feature_views: NonNegativeInt | None = 5
    feature_stains: NonNegativeInt = 0
    optimizer: Literal["adam", "sgd", "lbfgs"] = "adam"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    learning_rate: PositiveFloat = 1e-4
    block_rates: dict[str, PositiveFloat] = Field(default={})
    schedule: Schedule = "constant"
    epoch_decay: float = Field(default=0.9, gt=0, lt=1)
    warmup_epochs: NonNegativeInt = 0
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = None
    ema_momentum: float | None = Field(default=None, gt=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    distillation: Distillation | None = None
    epochs: PositiveInt = 30
    patience: PositiveInt | None = 5
    batch_norm_momentum: float | None = Field(default=0.9, gt=0, lt=1)
    precision: Precision = "auto"
    data_parallel: bool = False


RecipeDifferences = differences(Recipe)


class Phase(NamedTuple):
    """A range of epochs in which the same layers train.

    Attributes:
        start: Number of epochs before the phase.
        stop: Number of epochs before its end.
        trainable: The trainable part, as in the recipe.
        learning_rate: The highest learning rate.
        schedule: As in the recipe.
        warmup_epochs: How many of its own epochs are warm-up.
    """

    start: int
    stop: int
    trainable: str
    learning_rate: float
    schedule: Schedule
    warmup_epochs: int


class ResolvedRecipe(Recipe):
    """A recipe with nothing left to the architecture.

    Attributes:
        stain_target: The training images' stains, if images are normalised to them; set only for a training.
    """

    input_size: PositiveInt
    batch_size: PositiveInt
    dropout: float = Field(ge=0, lt=1)
    stain_target: StainTarget | MacenkoTarget | None = None

    @property
    def phases(self) -> list[Phase]:
        """The head alone, if the recipe starts with it, then the trainable part."""
        if self.converges:
            return [Phase(0, 1, HEAD, self.learning_rate, "constant", 0)]
        last = Phase(
            self.head_epochs, self.epochs, self.trainable, self.learning_rate, self.schedule, self.warmup_epochs
        )
        head = Phase(0, self.head_epochs, HEAD, self.head_learning_rate, "constant", 0)
        return [head, last] if self.head_epochs else [last]

    @property
    def converges(self) -> bool:
        """Whether the head is fitted at once to its minimal loss, and not step by step."""
        return self.optimizer == LBFGS

    @property
    def keeps_features(self) -> bool:
        """Whether the head trains, for at least some epochs, on features that were computed once."""
        return any(map(self.is_on_features, self.phases))

    def is_on_features(self, phase: Phase) -> bool:
        """Check whether a phase trains the head on features that were computed once."""
        return self.feature_views is not None and phase.trainable == HEAD

    @property
    def determining(self) -> dict[str, Any]:
        """The part of the recipe that determines a training, without unused fields.

        This way, trainings from before these fields existed keep their keys.
        """
        uses_sgd = self.optimizer == "sgd"
        used = {"optimizer": self.optimizer != "adam", "momentum": uses_sgd, "block_rates": bool(self.block_rates)}
        used |= {"epoch_decay": self.schedule == "exponential", "pixels": self.pixels is not None}
        used |= {"feature_stains": self.feature_stains > 0}
        used |= {"head_norm": self.head_norm, "distillation": self.distillation is not None}
        used |= {"centre_crop": self.centre_crop < 1, "normalisation": self.normalisation != "none"}
        used["stain_target"] = False  # measured on images; a training's key holds it beside the recipe
        return self.model_dump(exclude={name for name in used if not used[name]})

    @model_validator(mode="after")
    def _check_rates(self) -> "ResolvedRecipe":
        if self.block_rates and self.weight_decay:
            raise ValueError("block_rates do not go with weight_decay, which would be the same for all blocks")
        return self

    @model_validator(mode="after")
    def _check_stains(self) -> "ResolvedRecipe":
        if self.feature_stains and (self.feature_views != 0 or not self.keeps_features):
            raise ValueError(
                f"feature_stains is {self.feature_stains}, which adds copies to images that a frozen base sees as they "
                f"are: set trainable to head and feature_views to 0, or feature_stains to 0"
            )
        return self

    @model_validator(mode="after")
    def _check_convergence(self) -> "ResolvedRecipe":
        if not self.converges:
            return self
        if self.trainable != HEAD or self.feature_views is None:
            raise ValueError(
                "optimizer is lbfgs, which fits the last layer alone, on features that were computed once: set "
                "trainable to head and feature_views to a number, or optimizer to adam"
            )
        unused: dict[str, Any] = {"head_epochs": self.head_epochs, "block_rates": self.block_rates}
        unused |= {"label_smoothing": self.label_smoothing, "ema_momentum": self.ema_momentum}
        unused |= {"data_parallel": self.data_parallel, "distillation": self.distillation}
        if named := [name for name, value in unused.items() if value]:
            raise ValueError(f"optimizer is lbfgs, which knows no {' or '.join(named)}: leave out, or set it to adam")
        return self

    @model_validator(mode="after")
    def _check_epochs(self) -> "ResolvedRecipe":
        if self.converges:
            return self
        if self.head_epochs + self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"head_epochs and warmup_epochs are {self.head_epochs} and {self.warmup_epochs}, and together must be "
                f"less than epochs, {self.epochs}"
            )
        if self.head_epochs and self.trainable == HEAD:
            raise ValueError("head_epochs come before the epochs in which more trains; trainable is head throughout")
        return self


def resolve_recipe(architecture_name: str, shared: Recipe, own: Options, entry: str | None = None) -> ResolvedRecipe:
    """Join the shared recipe, a model's differences and the architecture's defaults into the recipe in effect.

    Args:
        architecture_name: A registered architecture.
        shared: The recipe of all models.
        own: The model's differences, a ``RecipeDifferences``.
        entry: The model's name, for messages; by default the architecture's.

    Raises:
        InputError: The architecture lacks the block to train from, cannot take images so small, or does not support
            the pixel scaling.
    """
    row = architecture.get(architecture_name)
    entry = entry or architecture_name
    values = shared.model_dump() | own.model_dump(exclude_unset=True)
    for name in ("input_size", "batch_size", "dropout"):
        if values[name] is None:
            values[name] = getattr(row, name)
    if values["trainable"] == HEAD and values["feature_views"] == 0 and values["precision"] == "auto":
        values["precision"] = "float32"  # as in prediction, so that both have the same vectors
    recipe = ResolvedRecipe.model_validate(values)
    if recipe.trainable not in ("all", "head", *row.blocks):
        raise InputError(
            f"{_say_whose(entry, own, 'trainable')}training.trainable is '{recipe.trainable}', which {row.title} "
            f"does not have. Use all, head, or one of its blocks: {', '.join(row.blocks)}."
        )
    unknown = set(recipe.block_rates) - {STEM, HEAD, *row.blocks}
    if unknown:
        raise InputError(
            f"{_say_whose(entry, own, 'block_rates')}training.block_rates names '{min(unknown)}', which {row.title} "
            f"does not have. Use {', '.join([STEM, *row.blocks, HEAD])}."
        )
    if recipe.input_size < row.smallest_input:
        raise InputError(
            f"{_say_whose(entry, own, 'input_size')}training.input_size is {recipe.input_size} pixels; {row.title} "
            f"needs {row.smallest_input} or more. Set models.{entry}.training.input_size, or leave the model out."
        )
    _require_pixels(row, recipe, f"{_say_whose(entry, own, 'pixels')}training.pixels")
    return recipe


def _require_pixels(row: architecture.Architecture, recipe: Recipe, parameter: str) -> None:
    """Check that the recipe's pixel scaling is possible, and fits Keras' weights."""
    if recipe.pixels in (None, row.pixels):
        return
    if not row.pixels:
        raise InputError(
            f"{parameter} is {recipe.pixels}, and {row.title} has a scaling of its own, which cannot be replaced. "
            f"Leave it null."
        )
    if recipe.weights == "imagenet":
        raise InputError(
            f"{parameter} is {recipe.pixels}, and Keras' ImageNet weights of {row.title} are for pixels scaled as "
            f"{row.pixels}. Leave it null, or set weights to none or to a file."
        )


def _say_whose(entry: str, own: Options, name: str) -> str:
    """Return the prefix of a parameter's name: the model's if it overrides the parameter, else empty."""
    return f"models.{entry}." if name in own.model_fields_set else ""


def require_weights(entry: str, row: architecture.Architecture, recipe: Recipe) -> None:
    """Check that the initial weights are available, without building the network.

    Args:
        entry: Name of the recipe's model, for the message.
        row: Its architecture.
        recipe: The recipe in effect.

    Raises:
        InputError: The weights file does not exist or cannot be read; or there are no ImageNet weights; or the file
            records another pixel scaling.
    """
    architecture.require_imagenet(row, recipe.weights, f"models.{entry}.training.weights")
    if recipe.weights in ("imagenet", "none"):
        return
    try:
        with open(recipe.weights, "rb") as file:
            file.read(1)
    except OSError as error:
        raise InputError(
            f"There is no weights file '{recipe.weights}' that can be read ({error.strerror}). Give "
            f"models.{entry}.training.weights as imagenet, none, or the path of a {row.title} weights file "
            f"without its top (.h5 or .weights.h5). Nothing was trained, and what was trained before is untouched."
        ) from error
    expected = find_pixels(Path(recipe.weights))
    actual = recipe.pixels or row.pixels
    if expected not in (None, actual):
        raise InputError(
            f"The weights file '{recipe.weights}' was imported for pixels scaled as {expected}, and {row.title} scales "
            f"them as {actual}. Set models.{entry}.training.pixels={expected}. Nothing was trained."
        )
