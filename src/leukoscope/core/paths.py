"""Paths in the form that users write them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leukoscope.core.errors import InputError, shorten

PATH_PARAMETERS = ("raw_images", "external_images", "images", "group_table", "label_table")
# Where --params ends a path: a comma begins the next parameter, and " #" a YAML comment.
_ENDS = (",", " #")
_IN_FILE = "a path in quotes in conf/local/globals.yml, as `{parameter}: 'PATH'`, is taken as it is"


def require_paths(parameters: Mapping[str, Any]) -> None:
    """Check that the parameters that should be paths are text.

    Raises:
        InputError: A path is empty, or YAML reads it as a number or the like.
    """
    for name in PATH_PARAMETERS:
        if name in parameters:
            require_text(parameters[name], name)


def require_text(value: Any, parameter: str) -> str:
    """Check that a path is text.

    Args:
        value: The value in the configuration.
        parameter: The parameter that sets it, for the message.

    Raises:
        InputError: The value is a number or the like, is empty, or has a NUL byte.
    """
    if isinstance(value, str) and value.strip() and "\0" not in value:
        return value
    if value is None or value == "":
        raise InputError(
            f"{parameter} is empty. Expected a path: give it as {parameter}=PATH, the home folder as {parameter}=~/, "
            f"or leave it out."
        )
    actual = f"is the {type(value).__name__} {value!r}" if not isinstance(value, str) else f"is {value!r}"
    raise InputError(
        f"{parameter} {actual}, as YAML reads it, and not a path. Begin the path with ./ or /, as in "
        f"{parameter}=./2024; or {_IN_FILE.format(parameter=parameter)}."
    )


def read_path(value: Any, parameter: str) -> Path:
    """Read a path from the configuration, expanding a leading ``~`` to the home folder.

    Args:
        value: The path. Kedro has prepended the project's folder to relative paths, including those with ``~``.
        parameter: The parameter that sets it, for the message.

    Raises:
        InputError: The value is not text.
    """
    path = Path(require_text(value, parameter))
    home = next((number for number, part in enumerate(path.parts) if part.startswith("~")), None)
    if home is None or os.path.lexists(path):
        return path
    project = Path(*path.parts[:home]) if home else Path()
    if os.path.lexists(project / path.parts[home]):  # a folder with this name exists
        return path
    try:
        return Path(*path.parts[home:]).expanduser()
    except RuntimeError:
        return path


def exists(path: Path, parameter: str) -> bool:
    """Return whether a path exists.

    Raises:
        InputError: This cannot be determined: a parent folder may not be entered, or the path is too long.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InputError(
            f"The path of {parameter} cannot be opened: {error.strerror}: {shorten(str(path))}. Expected a path that "
            f"this user may read: change its permissions or give another."
        ) from error
    return True


def explain_cut(path: Path, parameter: str) -> str:
    """Explain that a path may have been cut at a comma or comment; empty if no longer name begins with it."""
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        return ""
    longer = next((name for name in names if name.startswith(tuple(path.name + end for end in _ENDS))), None)
    if longer is None:
        return ""
    return (
        f" There is {longer!r} beside it: --params cuts a path at a comma, and at a # after a space; "
        f"{_IN_FILE.format(parameter=parameter)}."
    )
