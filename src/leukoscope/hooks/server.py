"""The place where MLflow keeps its records: a server or a file."""

import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from urllib.parse import urlparse

from filelock import BaseFileLock, FileLock, Timeout
from sqlalchemy.engine import make_url

from leukoscope.core.errors import InputError
from leukoscope.core.storage import write_whole
from leukoscope.hooks.outbox import first_line

_SECONDS = 5
_SECONDS_FOR_OTHERS = 60
_SILENT = "does not answer"
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_MEND = (
    "Nothing was run. Start it or correct MLFLOW_TRACKING_URI; without that variable runs are kept in the project's "
    "own mlflow.db."
)


def require_server(uri: str) -> None:
    """Check within seconds that MLflow's records can be reached.

    Args:
        uri: The tracking URI.

    Raises:
        InputError: The server does not answer or refuses the user; or the file is damaged, locked, or cannot be made.
    """
    if urlparse(uri).scheme in ("", "file"):
        raise InputError(
            f"MLflow keeps no runs in folders any more, and MLFLOW_TRACKING_URI is {uri}. Expected a server, "
            f"http://..., or a file, sqlite:///PATH; without that variable runs are kept in the project's own "
            f"mlflow.db. Nothing was run."
        )
    if uri.startswith("sqlite:"):
        _require_file(find_file(uri))
        return
    fault = _find_fault(uri)
    if fault:
        raise InputError(f"The MLflow server {without_password(uri)} {fault}. {_MEND}")


@contextmanager
def hold_database(uri: str) -> Iterator[None]:
    """Let only one run at a time set up a database file, and create the file if it does not exist.

    Args:
        uri: The tracking URI.

    Raises:
        Timeout: Another run has held the database for a minute.
    """
    if not uri.startswith("sqlite:"):
        yield
        return
    path = find_file(uri)
    with FileLock(f"{path}.lock", timeout=_SECONDS_FOR_OTHERS):
        if not (path.is_file() and path.stat().st_size):
            _make_database(path)
        yield


def hold_session(session: str) -> BaseFileLock:
    """Lock a session against other processes, which would take this one's run for a dead one and resume it.

    Args:
        session: The hash that identifies the session.

    Raises:
        InputError: Another process is running the session.
    """
    # The name contains the user, since in a shared folder other users may not open the file.
    user = os.getuid() if hasattr(os, "getuid") else 0
    lock = FileLock(Path(gettempdir(), f"leukoscope-{user}-{session}.lock"), blocking=False, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            "The same command is at work already. Nothing was run: let the other end or stop it; then this one goes on "
            "from what it did."
        ) from error
    return lock


def _make_database(path: Path) -> None:
    """Create MLflow's tables atomically, since MLflow creates them step by step and cannot resume halfway."""
    from mlflow.store.db import utils

    with TemporaryDirectory() as scratch:
        new = Path(scratch, path.name)
        engine = utils.create_sqlalchemy_engine(f"sqlite:///{new}")
        try:
            utils._initialize_tables(engine)
        finally:
            engine.dispose()
        write_whole(path, partial(shutil.copyfile, new))


def find_file(uri: str) -> Path:
    """Return the file that SQLite opens for a tracking URI that begins with ``sqlite:``."""
    return Path(make_url(uri).database or "")


def without_password(uri: str) -> str:
    """Return an address without credentials, for display."""
    user, at, rest = uri.rpartition("@")
    return f"{user.partition('://')[0]}://{rest}" if at else uri


def answers(uri: str) -> bool:
    """Return within seconds whether a server answers; files and unknown kinds of servers are assumed to.

    Args:
        uri: The tracking URI.
    """
    return _find_fault(uri) is None


def _find_fault(uri: str) -> str | None:
    parts = urlparse(uri)
    try:
        if parts.scheme in ("http", "https"):
            return _ask(uri)
        if parts.hostname and parts.scheme.partition("+")[0] in _PORTS:
            port = parts.port or _PORTS[parts.scheme.partition("+")[0]]
            socket.create_connection((parts.hostname, port), _SECONDS).close()
    except (OSError, ValueError) as error:  # a URI without a valid host or port raises a ValueError
        return f"{_SILENT}: {first_line(error)}"
    return None


def _ask(uri: str) -> str | None:
    """Send a request with MLflow's credentials and certificates; return the fault, or ``None`` if it succeeds."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(
            get_default_host_creds(uri), "/health", "GET", timeout=_SECONDS, max_retries=0, raise_on_status=False
        )
    except MlflowException as error:
        return f"{_SILENT}: {first_line(error)}"
    if answer.status_code in (401, 403):
        return (
            f"refuses the user or the password (status {answer.status_code}): correct MLFLOW_TRACKING_USERNAME and "
            f"MLFLOW_TRACKING_PASSWORD"
        )
    return f"{_SILENT}: status {answer.status_code}" if answer.status_code >= 500 else None


def _require_file(path: Path) -> None:
    if path.is_file():
        _require_database(path)
        return
    if path.exists() or not path.parent.is_dir():
        raise InputError(
            f"MLflow's database {path} cannot be made: there is {'a folder' if path.exists() else 'no folder'} at "
            f"{path if path.exists() else path.parent}. Nothing was run. Move the folder away, or make the one that is "
            f"missing."
        )


def _require_database(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=_SECONDS, isolation_level=None)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict.splitlines()[-1])
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute("BEGIN IMMEDIATE")  # succeeds on a read-only disk too, hence the write below
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise InputError(
            f"MLflow's database {path} cannot be written: {error}. Nothing was run. If another program holds it, let "
            f"that end; if the file or its folder is read-only, allow writing."
        ) from error
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"MLflow's database {path} is damaged: {error}. Nothing was run. Put a copy of it in its place, or move it "
            f"away: a new one is made, and results in data/ stay."
        ) from error
