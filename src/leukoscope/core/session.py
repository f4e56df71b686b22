"""How the command at work was given: nodes that start other commands give these the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leukoscope.core.errors import InputError


@dataclass(frozen=True)
class Session:
    """What one command is run with.

    Attributes:
        project: The project's folder.
        env: The environment; ``None`` for the default.
        source: Where the configuration is.
        given: What ``--params`` set.
        data: The folder of the data.
    """

    project: Path = field(default_factory=Path.cwd)
    env: str | None = None
    source: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    data: Path = Path("data")


# The variable that names the folder which takes the place of `data` in a command that another one has started.
WORKSPACE = "LEUKOSCOPE_WORKSPACE"
_at_work: list[Session] = []
# MLflow's run of the command, under which those of the commands that it starts belong, and where its records are.
_run: list[str | None] = [None, None]


def remember_session(session: Session) -> None:
    """Remember the session at work."""
    _at_work[:] = [session]


def get_session() -> Session:
    """Give the session at work.

    Raises:
        InputError: There is none: commands that are started would have other parameters than the one at work.
    """
    if not _at_work:
        raise InputError(
            "No command is at work, so that others cannot be started as it was. Run the pipeline by `kedro run`, or "
            "in a session of Kedro with the project's hooks."
        )
    return _at_work[-1]


def remember_run(run_id: str | None, tracking: str | None = None) -> None:
    """Remember MLflow's run of the session, and the address of its records; ``None`` when it has ended."""
    _run[:] = [run_id, tracking]


def get_run() -> str | None:
    """Give MLflow's run of the session at work, if there is one."""
    return _run[0]


def get_tracking() -> str | None:
    """Give the address of MLflow's records, if the session at work is tracked."""
    return _run[1]


def find_project() -> Path:
    """Give the project's folder: that of the session at work, or the folder at hand."""
    return _at_work[-1].project if _at_work else Path.cwd()
