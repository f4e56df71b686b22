"""The training recipe: what can be set, and how a backbone's differences join it."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from leukoscope.errors import InputError
from leukoscope.models.backbones import BACKBONES
from leukoscope.options import Options, differences

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


class Recipe(Options):
    """How a classifier is trained; ``null`` in the first group means: as the table of backbones says."""

    input_size: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    dropout: float | None = Field(default=None, ge=0, lt=1)
    weights: str = "imagenet"
    trainable: str = "all"
    learning_rate: PositiveFloat = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: NonNegativeInt = 0
    epochs: PositiveInt = 30
    patience: PositiveInt | None = 5
    batch_norm_momentum: float | None = Field(default=0.9, gt=0, lt=1)
    precision: Precision = "auto"


RecipeDifferences = differences(Recipe)


class ResolvedRecipe(Recipe):
    """A recipe with nothing left to the table of backbones."""

    input_size: PositiveInt
    batch_size: PositiveInt
    dropout: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _check_warmup(self) -> "ResolvedRecipe":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs is {self.warmup_epochs}, and must be less than epochs, {self.epochs}")
        return self


def resolve_recipe(backbone: str, shared: Recipe, own: Options) -> ResolvedRecipe:
    """Join the shared recipe, a backbone's differences and the table's defaults into what is in force.

    Args:
        backbone: A key of ``BACKBONES``.
        shared: The recipe of all backbones.
        own: The backbone's differences, a ``RecipeDifferences``.

    Raises:
        InputError: The backbone has no such block to train from, or cannot take images so small.
    """
    row = BACKBONES[backbone]
    values = shared.model_dump() | own.model_dump(exclude_unset=True)
    for name in ("input_size", "batch_size", "dropout"):
        if values[name] is None:
            values[name] = getattr(row, name)
    recipe = ResolvedRecipe.model_validate(values)
    if recipe.trainable not in ("all", "head", *row.blocks):
        raise InputError(
            f"{backbone}.training.trainable is '{recipe.trainable}', which {row.title} does not have. "
            f"Use all, head, or one of its blocks: {', '.join(row.blocks)}."
        )
    if recipe.input_size < row.smallest_input:
        raise InputError(
            f"{backbone}.training.input_size is {recipe.input_size} pixels; {row.title} needs "
            f"{row.smallest_input} or more."
        )
    return recipe
