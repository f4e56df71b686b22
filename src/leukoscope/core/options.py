"""The base of all typed parameters."""

import re
import reprlib
import unicodedata
from copy import copy
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model, model_validator


class Options(BaseModel):
    """Parameters of a pipeline: immutable; an unknown name is an error that lists the known ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_names(cls, values: Any) -> Any:
        if isinstance(values, dict):
            refuse_unknown_names(values, cls.model_fields)
        return values


def refuse_unknown_names(names: Any, known: Any, where: str = "", what: str = "parameter") -> None:
    """Raise an error for the first of ``names`` that is not one of ``known``.

    Args:
        names: The names that were given.
        known: The names that exist.
        where: What the names belong to, for the message.
        what: The kind of thing that the names denote.

    Raises:
        ValueError: A name is unknown; the message suggests the nearest name and lists all that exist.
    """
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), [str(candidate) for candidate in known], n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise ValueError(f"there is no {what} '{name}'{where}: {hint}known are {', '.join(sorted(known))}.")


def describe_faults(error: ValidationError, *parameter: str) -> str:
    """Describe a Pydantic validation error without Pydantic's boilerplate.

    Args:
        error: The error that Pydantic raised.
        parameter: The name of the validated parameter, if it has one.
    """
    return "; ".join(_describe_fault(fault, parameter) for fault in error.errors(include_url=False))


def _describe_fault(fault: Any, parameter: tuple[str, ...]) -> str:
    place = ".".join([*parameter, *map(str, fault["loc"])])
    if fault["type"] == "value_error":
        return f"{place}: {fault['ctx']['error']}".lstrip(": ").rstrip(".")
    message = fault["msg"][0].lower() + fault["msg"][1:]
    return f"{place} is {reprlib.repr(fault['input'])}: {message}"


def differences(model: type[Options]) -> type[Options]:
    """Create the model of differences from ``model``, which has the same fields, all optional.

    The instance's ``model_fields_set`` holds the given fields, so ``model_dump(exclude_unset=True)`` returns
    exactly the differences.
    """
    fields: dict[str, Any] = {name: (field.annotation, copy(field)) for name, field in model.model_fields.items()}
    for _, field in fields.values():
        field.default = None
    return create_model(f"{model.__name__}Differences", __base__=Options, **fields)


def plain_name(class_name: str) -> str:
    """Convert a class name to a part of a metric's or column's name.

    Letters of any script, in lower case and without accents, and digits are kept; everything between them becomes one
    underscore. MLflow refuses brackets, commas, per cent signs and the like.
    """
    folded = unicodedata.normalize("NFKD", class_name).casefold()
    bare = "".join(letter for letter in folded if not "\u0300" <= letter <= "\u036f")
    return re.sub(r"[\W_]+", "_", unicodedata.normalize("NFC", bare)).strip("_")
