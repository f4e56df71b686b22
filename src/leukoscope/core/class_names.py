"""Valid class names, and strings that contain several of them."""

import unicodedata
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from leukoscope.core.errors import shorten
from leukoscope.core.options import plain_name

SEPARATOR = "|"
MALIGNANT = "malignant"
_NEVER = ("/", "\\", SEPARATOR)
_LONGEST = 100
_RESERVED = {
    "total": "the sum over all classes",
    "abstained": "no opinion",
    "withheld": "no opinion in tables of an earlier version",
    "none": "an empty prediction set",
}
# Suffixes of metric names: metrics of a class `grade low` would be named like the lower ends of `grade`.
_ENDS = ("_low", "_high")


def split_names(value: Any) -> Any:
    """Split a string of several names like ``Benign|Malignant``, since Kedro splits ``--params`` at commas.

    Empty names between bars are skipped. Values other than strings are returned unchanged.
    """
    return [name.strip() for name in value.split(SEPARATOR) if name.strip()] if isinstance(value, str) else value


def join_benign(names: Sequence[str]) -> str:
    """Join the names of the benign classes for display."""
    return " and ".join(names)


def require_class_names(names: Any) -> None:
    """Check that class names are usable in folders, tables, figures and MLflow.

    Args:
        names: The value of the parameter ``class_names``, of any type.

    Raises:
        ValueError: A name is not usable.
    """
    if not isinstance(names, list) or len(names) < 2:
        raise ValueError(
            f"class_names is {names!r}; it must be a list of two or more names, like [Benign, Malignant] in a file or "
            f"Benign{SEPARATOR}Malignant in --params"
        )
    for name in names:
        fault = _find_fault(name)
        if fault:
            raise ValueError(f"class_names has {shorten(repr(name), _LONGEST)}, which {fault}")
    _require_different(names)


def require_benign(benign: Sequence[str], class_names: Sequence[str]) -> None:
    """Check that the benign classes are some of the classes, but not all.

    Args:
        benign: The classes that are not malignant.
        class_names: All classes.

    Raises:
        ValueError: None or all of the classes are benign, or a benign class is unknown.
    """
    example = f"evaluation.benign_class={class_names[0]}"
    for name in benign:
        if name not in class_names:
            raise ValueError(
                f"evaluation.benign_class is '{name}', which is none of class_names: {', '.join(class_names)}. Say "
                f"which of them is benign, like {example}; several are joined by {SEPARATOR}"
            )
    others = [name for name in class_names if name not in benign]
    if not benign or not others:
        raise ValueError(
            f"evaluation.benign_class is {list(benign)}, and class_names {list(class_names)}: one or more of them must "
            f"be benign, and one or more must not, like {example}"
        )
    if len(others) > 1 and any(plain_name(name) == MALIGNANT for name in others):
        raise ValueError(
            f"class_names has '{MALIGNANT}' beside other classes that are not benign: {', '.join(others)}. The word "
            f"stands for all of them; rename the class, or add benign classes to evaluation.benign_class"
        )


def _find_fault(name: Any) -> str | None:
    if not isinstance(name, str):
        kinds = {bool: "true or false", type(None): "nothing", int: "a number", float: "a number"}
        kind = kinds.get(type(name), f"a {type(name).__name__}")
        return f"YAML reads as {kind}, not as a name: put the folder's name in quotes, like '1' or 'no'"
    controls = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    faults = {
        "is empty, or begins or ends with a space: give it the name of its folder": not name or name != name.strip(),
        "has a control character: rename its folder": controls,
        f"begins with a dot, or has one of {' '.join(_NEVER)}: no folder of a class can be named so": (
            name.startswith(".") or any(letter in name for letter in _NEVER)
        ),
        f"has {len(name)} characters: {_LONGEST} at most fit into tables and figures": len(name) > _LONGEST,
        "has neither a letter nor a digit: rename its folder": not plain_name(name),
        f"stands for {_RESERVED.get(name)} in tables: rename its folder": name in _RESERVED,
    }
    return next((words for words, there in faults.items() if there), None)


def _require_different(names: Sequence[str]) -> None:
    """Check that the metrics of any two classes have different names."""
    for name, other in permutations(names, 2):
        if plain_name(name) == plain_name(other):
            raise ValueError(
                f"class_names has '{name}' and '{other}', whose figures would both be named '{plain_name(name)}'; "
                f"names must differ in more than case, accents, spaces and punctuation"
            )
        if any(plain_name(name) == plain_name(other) + end for end in _ENDS):
            raise ValueError(
                f"class_names has '{other}' and '{name}': the figures of the second would be named like the ends of "
                f"the first's intervals; rename one of them"
            )
