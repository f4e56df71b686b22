"""The ranges that a search draws a training's parameters from."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, product
from typing import Any, Protocol

from pydantic import Field, ValidationError, model_validator

from leukoscope.core.options import Options, describe_faults, refuse_unknown_names
from leukoscope.training.augmentation_options import AugmentationDifferences, AugmentationRecipe
from leukoscope.training.recipe import Recipe, RecipeDifferences

Choice = bool | int | float | str | None
# Aliases, since a range has fields named float and int.
Ends = tuple[float, float]
WholeEnds = tuple[int, int]
Choices = tuple[Choice, ...]
_FIELDS = {"training": Recipe.model_fields, "augmentation": AugmentationRecipe.model_fields}
_DIFFERENCES = {"training": RecipeDifferences, "augmentation": AugmentationDifferences}
_MOST_CORNERS = 512


class Drawing(Protocol):
    """Draws values, like an Optuna trial."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Draw a float."""
        ...

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Draw an integer."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Draw one of several values."""
        ...


class Range(Options):
    """The possible values of a parameter, given in one of four ways.

    Attributes:
        log: Log-uniform between the first and the second value, both above 0.
        float: Uniform between the first and the second value.
        int: Integers from the first to the second value.
        choice: One of the listed values.
    """

    log: Ends | None = None
    float: Ends | None = None
    int: WholeEnds | None = None
    choice: Choices | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _require_one(self) -> "Range":
        given = sorted(self.model_fields_set)
        if len(given) != 1 or getattr(self, given[0]) is None:
            raise ValueError(
                "a range is one of {log: [low, high]}, {float: [low, high]}, {int: [low, high]} and "
                f"{{choice: [some, values]}}, and this has {' and '.join(given) or 'nothing'}"
            )
        ends = self.log or self.float or self.int
        if ends and not (all(map(math.isfinite, ends)) and ends[0] < ends[1]):
            raise ValueError(f"[{ends[0]}, {ends[1]}] is no range: the first must be below the second")
        if self.log and self.log[0] <= 0:
            raise ValueError(f"a range on a logarithmic scale begins above 0, and this at {self.log[0]}")
        return self

    @property
    def corners(self) -> Choices:
        """The ends of the range, or all choices."""
        return self.choice or self.log or self.float or self.int or ()

    @property
    def words(self) -> str:
        """Describe the possible values."""
        if self.choice is not None:
            return "one of " + ", ".join("null" if value is None else str(value) for value in self.choice)
        low, high = self.corners
        kind = ", on a logarithmic scale" if self.log else ", whole numbers" if self.int else ""
        return f"{low:g} to {high:g}{kind}"

    def draw(self, name: str, trial: Drawing) -> Choice:
        """Let a trial draw a value."""
        if self.choice is not None:
            return trial.suggest_categorical(name, self.choice)
        if self.int is not None:
            return trial.suggest_int(name, *self.int)
        low, high = self.log or self.float or (0.0, 0.0)
        return trial.suggest_float(name, low, high, log=self.log is not None)


Space = Mapping[str, Range]
DEFAULT_SPACE: dict[str, dict[str, Any]] = {
    "training.learning_rate": {"log": [1e-5, 1e-2]},
    "training.dropout": {"float": [0.0, 0.6]},
    "training.batch_size": {"choice": [16, 32]},
    "augmentation.stain": {"float": [0.0, 0.4]},
    "augmentation.brightness": {"float": [0.0, 0.3]},
}


def flatten(space: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested or dotted parameters to dotted names; null values are left out."""
    flat: dict[str, Any] = {}
    for name, value in space.items():
        full = f"{prefix}{name}"
        if full in _FIELDS and isinstance(value, Mapping):
            flat |= flatten(value, f"{full}.")
        elif value is not None:
            flat[full] = value
    return flat


def require_names(names: Iterable[str]) -> None:
    """Check that parameters belong to the recipe or the augmentation.

    Raises:
        ValueError: A parameter does not.
    """
    for name in names:
        part, _, field = str(name).partition(".")
        refuse_unknown_names([part], _FIELDS, f": '{name}' is neither of training nor of augmentation")
        refuse_unknown_names([field], _FIELDS[part], f" of {part}")


def require_fitting(space: Space) -> None:
    """Check that the values of all ranges are valid for their parameters.

    Raises:
        ValueError: A value is invalid.
    """
    for name, values in space.items():
        part, _, field = name.partition(".")
        for value in values.corners:
            try:
                fitting = getattr(_DIFFERENCES[part].model_validate({field: value}), field)
            except ValidationError as error:
                raise ValueError(f"of search.space, {describe_faults(error, part)}") from None
            if isinstance(value, str) and not isinstance(fitting, str):
                raise ValueError(f"search.space.{name} has the text '{value}': write it without quotes")


def nest(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Nest parameters as in an entry: ``training`` and ``augmentation``, each with its differences."""
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        part, _, field = name.partition(".")
        nested.setdefault(part, {})[field] = value
    return nested


def give_values(given: Mapping[str, Any], entry: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Add an entry's own values of some parameters, by dotted names, to the parameters set by ``--params``."""
    models = dict(given.get("models") or {})
    own = dict(models.get(entry) or {})
    own |= {part: dict(own.get(part) or {}) | drawn for part, drawn in nest(values).items()}
    return dict(given) | {"models": models | {entry: own}}


def list_corners(space: Space) -> Iterator[dict[str, Choice]]:
    """Yield the corners of a space: each end of each range, then combinations of ends, unless there are too many."""
    alone = ({name: value} for name, values in space.items() for value in values.corners)
    together = (
        dict(zip(space, corner, strict=True)) for corner in product(*(values.corners for values in space.values()))
    )
    return chain(alone, islice(together, _MOST_CORNERS))
