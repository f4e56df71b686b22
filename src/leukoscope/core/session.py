"""How the current command was called, so that nodes can start other commands in the same way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leukoscope.core.errors import InputError


@dataclass(frozen=True)
class Session:
    """The settings of a command.

    Attributes:
        project: The project's folder.
        env: The environment; ``None`` for the default.
        source: Where the configuration is.
        given: The values set by ``--params``.
        data: The folder of the data.
    """

    project: Path = field(default_factory=Path.cwd)
    env: str | None = None
    source: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    data: Path = Path("data")


# The variable that names the folder to use instead of `data` in a command started by another one.
WORKSPACE = "LEUKOSCOPE_WORKSPACE"
_at_work: list[Session] = []
# The command's MLflow run, which is the parent of the runs of commands that it starts, and the tracking address.
_run: list[str | None] = [None, None]


def remember_session(session: Session) -> None:
    """Set the current session."""
    _at_work[:] = [session]


def get_session() -> Session:
    """Return the current session.

    Raises:
        InputError: There is no session, so started commands would have other parameters than the current one.
    """
    if not _at_work:
        raise InputError(
            "No command is at work, so that others cannot be started as it was. Run the pipeline by `kedro run`, or "
            "in a session of Kedro with the project's hooks."
        )
    return _at_work[-1]


def remember_run(run_id: str | None, tracking: str | None = None) -> None:
    """Set the session's MLflow run and the tracking address; ``None`` when the run has ended."""
    _run[:] = [run_id, tracking]


def get_run() -> str | None:
    """Return the current session's MLflow run, if there is one."""
    return _run[0]


def get_tracking() -> str | None:
    """Return the MLflow tracking address, if the current session is tracked."""
    return _run[1]


def find_project() -> Path:
    """Return the project's folder: that of the current session, or the working directory."""
    return _at_work[-1].project if _at_work else Path.cwd()
