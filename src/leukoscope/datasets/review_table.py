"""The file of reviews, an SQLite database with a table for each kind of review."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_records

# Seconds to wait for another process that is writing.
_PATIENCE = 5.0


class ReviewTable(AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """An append-only table of reviews in a local SQLite file.

    Args:
        filepath: The SQLite file, which may also have other tables.
        metadata: Ignored here; may be used by other tools.
    """

    # Beginning of the error message if rows cannot be added.
    _refusal: str

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._filepath, timeout=_PATIENCE)) as connection, connection:
            yield connection

    def _add_rows(self, data: pd.DataFrame, create: str, name: str, columns: Sequence[str]) -> None:
        """Add rows to a plain table, all of them or none, and create the table if necessary."""
        insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        with self._writing(), self._connect() as connection:
            connection.execute(create)
            connection.executemany(insert, [[record.get(column) for column in columns] for record in as_records(data)])

    def _read_rows(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Read a plain table, the oldest row first; it is empty if the file has no such table."""
        try:
            with self._connect() as connection:
                known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [name]).fetchone()
                select = f"SELECT {', '.join(columns)} FROM {name} ORDER BY number"
                rows = connection.execute(select).fetchall() if known else []
        except sqlite3.Error as error:
            raise self._refuse_to_read(error) from error
        return pd.DataFrame(rows, columns=list(columns))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Create the file's folder, and report on one line why rows cannot be added."""
        try:
            self._filepath.parent.mkdir(parents=True, exist_ok=True)
            yield
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"{self._refusal} to {self._filepath}: {error}. Close what else has it open, make it "
                f"writable, or put another copy of it in its place."
            ) from error

    def _refuse_to_read(self, error: Exception) -> InputError:
        return InputError(
            f"{self._filepath} cannot be read as reviews: {error}. Expected the SQLite file that the review page "
            f"writes; put it back, or move it away to start anew by `make app`."
        )

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
