"""What compose.yaml says, for a machine without Docker: its variables filled in, and its programs found."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
SERVER_ENVIRONMENT = ROOT / ".venv-team"
# What stands in for the images, and what installs it.
_PROGRAMS = {
    "nginx": "apt-get install nginx-light",
    "openssl": "apt-get install openssl",
    "initdb": "apt-get install postgresql",
    "postgres": "apt-get install postgresql",
    "createdb": "apt-get install postgresql",
    "mlflow": "make .venv-team/.ready",
    "weed": "make .venv-team/.ready",
}


class MissingProgramsError(Exception):
    """Programs that are not on this machine."""


class Service(NamedTuple):
    """What compose.yaml says of one of its services, with the variables filled in.

    Attributes:
        command: Program and arguments; empty where the image's own are used.
        environment: Variables of its process.
    """

    command: list[str]
    environment: dict[str, str]


def find_programs() -> dict[str, str]:
    """Find what the servers are.

    Raises:
        MissingProgramsError: Some are not there; all are named, with what installs them.
    """
    own = str(SERVER_ENVIRONMENT / "bin")
    debian = map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    path = os.pathsep.join([*debian, os.environ.get("PATH", ""), "/usr/sbin"])
    found = {
        name: shutil.which(name, path=own if command.startswith("make") else path)
        for name, command in _PROGRAMS.items()
    }
    missing = [name for name, place in found.items() if place is None]
    if missing:
        commands = "\n".join(f"  {command}" for command in dict.fromkeys(_PROGRAMS[name] for name in missing))
        raise MissingProgramsError(
            f"Not on this machine: {', '.join(missing)}. On Debian and Ubuntu these bring them:\n{commands}"
        )
    return {name: place for name, place in found.items() if place}


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Replace ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?what is wrong}`` as Docker Compose does."""

    def replace(match: re.Match[str]) -> str:
        name, kind, rest = match.group("name", "kind", "rest")
        if values.get(name):
            return values[name]
        if kind == ":?":
            raise KeyError(f"{name}: {rest}")
        return rest or ""

    return re.sub(r"\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>[^}]*))?\}", replace, text)


def read_services(values: Mapping[str, str], places: Mapping[str, str]) -> dict[str, Service]:
    """Read compose.yaml.

    Args:
        values: The variables of an env file.
        places: What is elsewhere here: addresses of other services, and arguments.
    """
    described = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]

    def place(text: object) -> str:
        filled = fill_in(str(text), values)
        for theirs, ours in places.items():
            filled = filled.replace(theirs, ours)
        return filled

    return {
        name: Service(
            [place(word) for word in service.get("command", [])],
            {key: place(value) for key, value in service.get("environment", {}).items()},
        )
        for name, service in described.items()
    }


def fill_template(text: str, values: Mapping[str, str]) -> str:
    """Replace ``${NAME}`` of the given names, and leave nginx's own variables, as nginx's image does."""
    return re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)
