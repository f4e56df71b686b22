"""To whom the review page showed the opinion on which field, in the file of the reviews."""

import sqlite3

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_records
from leukoscope.datasets.review_table import ReviewTable

_COLUMNS = ["shown_at", "sha256", "reviewer", "browser"]
_CREATE = (
    "CREATE TABLE IF NOT EXISTS shown_opinions (number INTEGER PRIMARY KEY AUTOINCREMENT, shown_at TEXT NOT NULL, "
    "sha256 TEXT NOT NULL, reviewer TEXT NOT NULL, browser TEXT NOT NULL)"
)
_INSERT = f"INSERT INTO shown_opinions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM shown_opinions ORDER BY number"


class ShownOpinionsDataset(ReviewTable):
    """What was shown to whom, in a local SQLite file. Saving adds rows and never changes one; loading gives all.

    Args:
        filepath: The SQLite file, which has other tables too.
        metadata: For other tools.
    """

    def save(self, data: pd.DataFrame) -> None:
        """Add rows, all of them or none; without rows it is seen whether some can be added.

        Raises:
            InputError: They cannot be.
        """
        try:
            self._filepath.parent.mkdir(parents=True, exist_ok=True)
            with self._connect() as connection:
                connection.execute(_CREATE)
                rows = [[record.get(name) for name in _COLUMNS] for record in as_records(data)]
                connection.executemany(_INSERT, rows)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"What was shown to whom cannot be added to {self._filepath}: {error}. Close what else has it open, "
                f"make it writable, or put another copy of it in its place."
            ) from error

    def load(self) -> pd.DataFrame:
        """Read all rows, the oldest first; none where there is none.

        Returns:
            ``shown_at`` (UTC), ``sha256`` (of the file), ``reviewer`` (may be empty) and ``browser`` (under a name
            that says nothing; empty where there is a reviewer).

        Raises:
            InputError: The file is no such table.
        """
        if not self._filepath.exists():
            return pd.DataFrame(columns=_COLUMNS)
        try:
            with self._connect() as connection:
                known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'shown_opinions'").fetchone()
                rows = connection.execute(_SELECT).fetchall() if known else []
        except sqlite3.Error as error:
            raise self._refuse_to_read(error) from error
        return pd.DataFrame(rows, columns=_COLUMNS)
