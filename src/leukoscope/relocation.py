"""The location of MLflow's artefacts: it records absolute paths, which go stale when a project is moved or copied."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlparse

from filelock import FileLock

from leukoscope.core.errors import InputError

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
_RECORDS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def require_place(experiment: str, recorded: str, configured: str | None) -> None:
    """Check that an experiment's artefacts go where the configuration says.

    Args:
        experiment: The experiment's name.
        recorded: Where MLflow puts the artefacts: a URI or a path.
        configured: Where they belong; ``None`` for wherever MLflow puts them.

    Raises:
        InputError: The artefacts would go elsewhere.
    """
    if configured is None or _normalise(recorded) == _normalise(configured):
        return
    mend = "Choose another name for the experiment (`experiment` in globals.yml)"
    if _is_place_of_a_project(recorded):
        mend = "If the project was moved or copied, run `kedro relocate` in it, which corrects MLflow's records"
    raise InputError(
        f"Nothing was run: MLflow would put the artefacts of the experiment {experiment} at {_normalise(recorded)}, "
        f"and they belong at {_normalise(configured)}. {mend}."
    )


def relocate_artifacts(project: Path) -> int:
    """Correct the artefact paths in a project's own database after the project was moved or copied.

    The previous database is kept beside it.

    Returns:
        The number of changed entries.

    Raises:
        InputError: There is no database, or recorded artefacts exist only at the old place.
    """
    database, place = project / DATABASE, (project / ARTIFACTS).resolve()
    if not database.is_file():
        raise InputError(
            f"There is no {database}, in which MLflow keeps the project's runs: nothing is to be corrected."
        )
    with FileLock(project / f"{DATABASE}.lock"), closing(sqlite3.connect(database)) as connection:
        places = _list(connection, "experiments", "artifact_location")
        old = [location for location in places if _is_old(location, place)]
        for location in old:
            _require_artifacts(connection, location, place)
        if old:
            with closing(sqlite3.connect(project / f"{DATABASE}.before-relocation")) as backup:
                connection.backup(backup)
        with connection:
            return sum(_rewrite(connection, location, place) for location in old)


def _normalise(location: str) -> str:
    """Resolve a local location to a path without links; strip the trailing slash of any other."""
    parts = urlparse(location)
    if parts.scheme not in ("", "file"):
        return location.rstrip("/")
    return str(Path(unquote(parts.path) if parts.scheme else location).resolve())


def _is_place_of_a_project(location: str) -> bool:
    return urlparse(location).scheme in ("", "file") and Path(_normalise(location)).name == ARTIFACTS


def _is_old(location: str, place: Path) -> bool:
    return _is_place_of_a_project(location) and _normalise(location) != str(place)


def _list(connection: sqlite3.Connection, table: str, column: str) -> list[str]:
    return [row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM {table}") if row[0]]


def _list_below(connection: sqlite3.Connection, location: str) -> Iterator[str]:
    for table, column in _RECORDS:
        yield from (uri for uri in _list(connection, table, column) if uri.startswith(f"{location}/"))


def _require_artifacts(connection: sqlite3.Connection, location: str, place: Path) -> None:
    """Check that no recorded artefact is left behind.

    Raises:
        InputError: An artefact exists only at the old place.
    """
    old = Path(_normalise(location))
    below = {Path(_normalise(uri)).relative_to(old) for uri in _list_below(connection, location)}
    behind = [path for path in sorted(below) if (old / path).exists() and not (place / path).exists()]
    if behind:
        raise InputError(
            f"{len(behind)} artefacts are still at {old} only, {behind[0]} for one. Copy them first: "
            f"mkdir -p '{place}' && cp -rn '{old}/.' '{place}'"
        )


def _rewrite(connection: sqlite3.Connection, location: str, place: Path) -> int:
    changed = 0
    for table, column in _RECORDS:
        answer = connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            (place.as_uri(), len(location) + 1, location, len(location) + 1, f"{location}/"),
        )
        changed += answer.rowcount
    return changed
