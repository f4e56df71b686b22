"""What reviewers say of doubtful labels, as a table that only grows, in the file of the other reviews."""

import sqlite3

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_records
from leukoscope.datasets.review_table import ReviewTable

_COLUMNS = ["reviewed_at", "sha256", "image_id", "data", "label", "suggested", "verdict", "reviewer_class"]
_COLUMNS += ["note", "reviewer"]
_CREATE = (
    "CREATE TABLE IF NOT EXISTS label_reviews (number INTEGER PRIMARY KEY AUTOINCREMENT, reviewed_at TEXT NOT NULL, "
    "sha256 TEXT NOT NULL, image_id TEXT NOT NULL, data TEXT NOT NULL, label TEXT NOT NULL, suggested TEXT NOT NULL, "
    "verdict TEXT NOT NULL, reviewer_class TEXT, note TEXT NOT NULL, reviewer TEXT NOT NULL)"
)
_INSERT = f"INSERT INTO label_reviews ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM label_reviews ORDER BY number"


class LabelReviewsDataset(ReviewTable):
    """Reviews of labels in a local SQLite file. Saving adds rows and never changes one; loading gives all.

    Args:
        filepath: The SQLite file, which has other tables too.
        metadata: For other tools.
    """

    def save(self, data: pd.DataFrame) -> None:
        """Add reviews, all of them or none; without rows it is seen whether some can be added.

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
                f"No review of a label can be added to {self._filepath}: {error}. Close what else has it open, make it "
                f"writable, or put another copy of it in its place."
            ) from error

    def load(self) -> pd.DataFrame:
        """Read all reviews, the oldest first; no row where there is none.

        Returns:
            ``reviewed_at`` (UTC), ``sha256`` (of the image file), ``image_id``, ``data`` (the fingerprint of all images
            then), ``label``, ``suggested``, ``verdict`` (label right, label wrong, not assessable), ``reviewer_class``
            (null if not assessable), ``note`` and ``reviewer`` (either may be empty).

        Raises:
            InputError: The file is no such table.
        """
        try:
            with self._connect() as connection:
                known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'label_reviews'").fetchone()
                rows = connection.execute(_SELECT).fetchall() if known else []
        except sqlite3.Error as error:
            raise self._refuse_to_read(error) from error
        return pd.DataFrame(rows, columns=_COLUMNS)
