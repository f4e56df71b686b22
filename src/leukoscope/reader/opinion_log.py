"""The log of given opinions for monitoring: what is monitored of each, and nothing about who was examined."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_records
from leukoscope.evaluation.opinion_facts import tabulate_facts
from leukoscope.reader.base import Reader, Reading

logger = logging.getLogger(__name__)

# Seconds to wait for a write lock of another process.
_PATIENCE = 5.0
_PLAIN = ["read_at", "source", "model", "model_fingerprint", "calibration", "together", "sha256"]
_FACTS = ["likeliest", "certainty", "reason", "ood_score"]
# Models differ in classes, and versions in checks: these measurements are a single JSON column.
_COLUMNS = [*_PLAIN, *_FACTS, "measured"]
_CREATE = (
    "CREATE TABLE IF NOT EXISTS opinions (number INTEGER PRIMARY KEY, read_at TEXT NOT NULL, source TEXT NOT NULL, "
    "model TEXT NOT NULL, model_fingerprint TEXT NOT NULL, calibration TEXT NOT NULL, together TEXT, sha256 TEXT, "
    "likeliest TEXT NOT NULL, certainty REAL NOT NULL, reason TEXT NOT NULL, ood_score REAL NOT NULL, "
    "measured TEXT NOT NULL)"
)
# The same model's opinion on the same file is logged once.
_ONCE = "CREATE UNIQUE INDEX IF NOT EXISTS once ON opinions (model_fingerprint, calibration, sha256)"
# Not OR IGNORE, which would silently drop rows with missing values.
_INSERT = (
    f"INSERT INTO opinions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT (model_fingerprint, calibration, sha256) DO NOTHING"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM opinions ORDER BY number"


class Retention(NamedTuple):
    """How long opinions are kept.

    Attributes:
        days: Number of days; ``None``: for ever.
    """

    days: int | None


def tabulate_reading(reader: Reader, reading: Reading, source: str, together: str | None) -> pd.DataFrame:
    """Return the log rows of images that were read just now.

    Args:
        reader: The reader that read them.
        reading: Its results.
        source: Where they were read: ``server`` or ``page``.
        together: An anonymous identifier of what the images have in common; ``None``: nothing.
    """
    facts = tabulate_facts(reading.opinions, reader.class_names, reading.measured.set_axis(reading.opinions.index))
    facts = facts.assign(**describe_origin(reader), read_at=write_time(), source=source)
    return facts.assign(together=together, sha256=None)


def describe_origin(reader: Reader) -> dict[str, str]:
    """Return the columns that identify a reader, by which monitoring finds its validation images."""
    return {
        "model": reader.model,
        "model_fingerprint": reader.classifier.fingerprint,
        "calibration": reader.calibration.seal,
    }


def write_time(when: datetime | None = None) -> str:
    """Format a time, by default the present: UTC, ISO 8601, to the second."""
    return (when or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")


class OpinionLog:
    """A log of opinions in a local SQLite file, to which several processes may add.

    It uses write-ahead logging (WAL): added rows survive however the process ends. Rows are never changed; those that
    are too old are removed.

    Args:
        path: The file, on a local disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, rows: pd.DataFrame) -> int:
        """Add opinions, all or none, and return the number of new ones; without rows, only check that it is possible.

        Args:
            rows: Rows from ``tabulate_reading``.

        Raises:
            InputError: The opinions cannot be added.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._connect() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(_CREATE)
                connection.execute(_ONCE)
                connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM opinions LIMIT 0")
                before = connection.total_changes
                connection.executemany(_INSERT, [_to_row(record) for record in as_records(rows)])
                return connection.total_changes - before
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"No opinion can be added to the log {self.path}: {error}. Expected a SQLite file of this log, or "
                f"none, in a folder that can be written: name another place, or move away what is there."
            ) from error

    def load(self) -> pd.DataFrame:
        """Read all opinions, oldest first.

        Returns:
            ``read_at`` (UTC), ``source`` (``predict``, ``server`` or ``page``), ``model``, ``model_fingerprint``,
            ``calibration`` (its seal), ``together`` (an identifier of images that came together, or null), ``sha256``
            (of the file, or null), ``likeliest``, ``certainty``, ``reason``, ``ood_score``, and columns ``check_*`` and
            ``distance_*``, which are NaN if the row's model has no such class.

        Raises:
            InputError: There is no log, or the file is not one.
        """
        self.require_there()
        try:
            with self._connect() as connection:
                rows = connection.execute(_SELECT).fetchall()
            measured = pd.DataFrame([json.loads(row[-1]) for row in rows]).astype(float)
            table = pd.DataFrame(rows, columns=_COLUMNS).astype({"certainty": float, "ood_score": float})
            pd.to_datetime(table["read_at"], utc=True, format="ISO8601")
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._refuse(error) from error
        return table.drop(columns="measured").join(measured)

    def forget(self, before: datetime) -> int:
        """Remove and overwrite what was logged before a time; return the number of opinions removed.

        Raises:
            InputError: There is no log, or it cannot be written.
        """
        self.require_there()
        try:
            with self._connect() as connection:
                connection.execute("PRAGMA secure_delete = ON")
                removed = connection.execute("DELETE FROM opinions WHERE read_at < ?", [write_time(before)]).rowcount
            with self._connect() as connection:  # else the removed rows would stay in the WAL file
                is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if removed and is_busy:
                logger.warning(
                    "%s removed from %s, and what was removed is still in the file beside it, %s-wal, since another "
                    "program reads the log. They are overwritten the next time that some are removed.",
                    count_of(removed, "opinion was", "opinions were"),
                    self.path,
                    self.path.name,
                )
            return removed
        except sqlite3.Error as error:
            raise self._refuse(error) from error

    def require_there(self) -> None:
        """Check that the log exists.

        Raises:
            InputError: It does not exist.
        """
        if not self.path.is_file():
            raise InputError(
                f"There is no log of opinions in {self.path} yet. `{name_run('predict')}` writes one, a served "
                f"model and the review page do where that was asked for (docs/monitoring.md)."
            )

    def _refuse(self, error: Exception) -> InputError:
        return InputError(
            f"{self.path} cannot be used as a log of opinions: {error}. Expected the SQLite file that opinions are "
            f"logged in; put it back, or move it away to start anew."
        )

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as connection, connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection


def _to_row(record: dict[str, Any]) -> list[Any]:
    measured = {name: value for name, value in record.items() if name.startswith(("check_", "distance_"))}
    known = {name: value for name, value in measured.items() if value is not None}
    return [json.dumps(known) if name == "measured" else record.get(name) for name in _COLUMNS]
