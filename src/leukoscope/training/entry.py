"""Model entries: the configuration of a model to be trained, of any kind."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from leukoscope.core.options import Options
from leukoscope.training.augmentation_options import AugmentationRecipe
from leukoscope.training.recipe import Recipe


class Published(Options):
    """Figures of the published study, for comparison with ours."""

    train_accuracy: float | None = Field(default=None, ge=0, le=1)
    test_accuracy: float | None = Field(default=None, ge=0, le=1)
    seconds_per_epoch: float | None = Field(default=None, gt=0)

    def as_report(self) -> dict[str, float | None]:
        """Return each figure under a name that marks it as reported: ``report_test_accuracy`` and so on."""
        return {f"report_{name}": value for name, value in self.model_dump().items()}


class ModelOptions(Options):
    """An entry of any kind; validating a mapping as this class returns the options of its kind.

    Kedro validates a parameter by one class, so the kinds are distinguished here and not by a union of types.

    Attributes:
        name: Its own name, also used for its pipeline and namespace.
        kind: The kind of model, one of ``KINDS``.
        default: Whether `kedro run` without a pipeline trains it; the pipeline `systems` trains every entry.
        label: Its name in figures and tables; by default its own name.
        published: The figures that a study reports.
    """

    name: str
    kind: str
    default: bool = True
    label: str | None = None
    published: Published = Published()

    @field_validator("label")
    @classmethod
    def _require_line(cls, label: str | None) -> str | None:
        if label and not (label.strip() and label.isprintable()):
            raise ValueError(f"label is {label!r}: expected a line of text")
        return label

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

    @property
    def teacher(self) -> str | None:
        """The entry that it learns from, if any."""
        return None

    @property
    def parts(self) -> tuple[str, ...]:
        """The entries that it consists of."""
        return ()

    def resolve(self, shared: Recipe) -> Options:
        """Return the complete recipe in effect.

        Args:
            shared: The recipe of all networks.

        Raises:
            InputError: The recipe does not fit the model.
        """
        raise NotImplementedError

    def require_files(self, shared: Recipe) -> None:
        """Check that the files from which training starts can be read, before anything slow begins.

        Args:
            shared: The recipe of all networks.

        Raises:
            InputError: A file cannot be read.
        """

    def join_augmentation(self, shared: AugmentationRecipe) -> AugmentationRecipe:
        """Return the ``shared`` augmentation of all models joined with its own differences, if it can have any."""
        return shared

    def describe_kind(self) -> dict[str, Any]:
        """Describe the kind of model in a few facts."""
        return {"kind": self.kind}

    def describe_recipe(self, shared: Recipe) -> dict[str, Any]:
        """Describe the model and the ``recipe`` that trains it.

        Args:
            shared: The recipe of all networks.

        Raises:
            InputError: The recipe does not fit the model.
        """
        return self.describe_kind() | {"recipe": self.resolve(shared).model_dump()}


def _find_kind(entry: dict[str, Any]) -> type[ModelOptions]:
    from leukoscope.training.options import KINDS

    kind = entry.get("kind")
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind]
    near = get_close_matches(str(kind), KINDS, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    unknown = PydanticCustomError("kind", f"there is no such kind: {hint}known are {', '.join(KINDS)}")
    fault = InitErrorDetails(type=unknown if "kind" in entry else "missing", loc=("kind",), input=kind)
    raise ValidationError.from_exception_data("ModelOptions", [fault])
