"""The base of all typed parameters."""

import re
import reprlib
import unicodedata
from copy import copy
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, create_model, model_validator

# What Pydantic calls by the name of a class.
_EXPECTED = {
    "dict_type": "expected a table, like {name: value}",
    "model_type": "expected a table, like {name: value}",
    "tuple_type": "expected a list, like [a, b]",
}


class Options(BaseModel):
    """Parameters of a pipeline: immutable; an unknown name is an error that lists the known ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_names(cls, values: Any) -> Any:
        if isinstance(values, dict):
            refuse_unknown_names(values, cls.model_fields)
            for name, value in values.items():
                if isinstance(value, bool) and _is_number(cls.model_fields[name].annotation):
                    raise ValueError(f"{name} is {value}: expected a number")  # Pydantic would take it as 1 or 0
        return values


def _is_number(annotation: Any) -> bool:
    """Tell whether a field takes a number and neither true nor false."""
    kinds = _list_kinds(annotation)
    return not kinds.isdisjoint({int, float}) and bool not in kinds


def _list_kinds(annotation: Any) -> set[Any]:
    """List what a field may be itself, and not what a list or a table in it may hold."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return set().union(*map(_list_kinds, get_args(annotation)))
    return {annotation}


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
    if fault["type"] == "missing":
        return f"{place} is missing"
    message = _EXPECTED.get(fault["type"]) or fault["msg"][0].lower() + fault["msg"][1:]
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
