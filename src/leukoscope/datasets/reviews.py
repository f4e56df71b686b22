"""Reviews of a second reader's predictions, as an append-only table."""

import json
import sqlite3
from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.old_names import OPINIONS, find_old_names, rename_columns
from leukoscope.core.storage import as_records
from leukoscope.datasets.review_table import ReviewTable
from leukoscope.evaluation.readings import UNBLINDED

_BEFORE = [
    "reviewed_at",
    "sha256",
    "file_name",
    "seen_in",
    "model",
    "model_fingerprint",
    "data",
    "opinion",
    "reason",
    "likeliest",
]
_AFTER = ["ood_score", "verdict", "reviewer_class", "note", "reviewer"]
# Columns that earlier versions lacked; without a phase, the reviewer had seen the prediction.
_ADDED = {"phase": "TEXT", "seconds": "REAL", "session": "TEXT", "grade": "INTEGER"}
# Classes differ from model to model, so their probabilities are one column of JSON.
_FIRST = [*_BEFORE, "probabilities", *_AFTER]
_COLUMNS = [*_FIRST, *_ADDED]
_CREATE = (
    "CREATE TABLE IF NOT EXISTS reviews (number INTEGER PRIMARY KEY AUTOINCREMENT, reviewed_at TEXT NOT NULL, "
    "sha256 TEXT NOT NULL, file_name TEXT, seen_in TEXT, model TEXT NOT NULL, model_fingerprint TEXT NOT NULL, "
    "data TEXT NOT NULL, opinion TEXT NOT NULL, reason TEXT NOT NULL, likeliest TEXT NOT NULL, "
    "probabilities TEXT NOT NULL, ood_score REAL NOT NULL, verdict TEXT NOT NULL, reviewer_class TEXT, "
    "note TEXT NOT NULL, reviewer TEXT NOT NULL)"
)
_INSERT = f"INSERT INTO reviews ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


class ReviewsDataset(ReviewTable):
    """Reviews in a local SQLite file. Saving adds rows and never changes any; loading returns all, the oldest first.

    The data set for SQL tables in ``kedro_datasets`` requires credentials, and its location depends on the folder
    that a run is started in.

    Args:
        filepath: The SQLite file.
        metadata: Ignored here; may be used by other tools.
    """

    _refusal = "No review can be added"

    def save(self, data: pd.DataFrame) -> None:
        """Add reviews, all of them or none.

        Args:
            data: As returned by ``load``; without rows, only check that reviews can be added.

        Raises:
            InputError: Reviews cannot be added.
        """
        with self._writing(), self._connect() as connection:
            connection.execute(_CREATE)
            _rename_kept(connection)
            connection.execute(f"SELECT {', '.join(_FIRST)} FROM reviews LIMIT 0")
            _add_columns(connection)
            connection.executemany(_INSERT, [_to_row(record) for record in as_records(data)])

    def load(self) -> pd.DataFrame:
        """Read all reviews.

        Returns:
            ``reviewed_at`` (UTC), ``sha256`` (of the image file), ``file_name`` (null unless requested),
            ``seen_in`` (the split, if the classifier knew the image), ``model``, ``model_fingerprint`` and ``data`` (a
            fingerprint), ``opinion``, ``reason``, ``likeliest``, one calibrated probability column per class,
            ``ood_score``, ``verdict`` (agree, disagree, not assessable), ``reviewer_class`` (null if not assessable),
            ``note`` and ``reviewer`` (either may be empty), ``phase`` (blind, revised, unblinded), ``seconds`` (how
            long the review took), ``session`` (identifies one opening of the page) and ``grade`` (from 1, definitely
            benign, to 5, definitely malignant); the last three are null if unknown.

        Raises:
            InputError: There are no reviews yet, or the file is not a valid table of reviews.
        """
        try:
            rows = self._read() if self._filepath.exists() else []
            probabilities = pd.DataFrame([json.loads(row[_COLUMNS.index("probabilities")]) for row in rows])
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            raise self._refuse_to_read(error) from error
        if not rows:
            raise InputError(
                f"There are no reviews in {self._filepath} yet. Review smears in the page that `make app` starts."
            )
        table = rename_columns(pd.DataFrame(rows, columns=_COLUMNS), self._filepath)
        table["phase"] = table["phase"].fillna(UNBLINDED)
        return pd.concat([table[_BEFORE], probabilities, table[[*_AFTER, *_ADDED]]], axis=1)

    def _read(self) -> list[tuple]:
        with self._connect() as connection:
            there = _list_columns(connection)
            kept_as = {new: old for old, new in find_old_names(there).items()}
            missing = [name for name in _ADDED if name not in there]
            names = ", ".join("NULL" if name in missing else kept_as.get(name, name) for name in _COLUMNS)
            return connection.execute(f"SELECT {names} FROM reviews ORDER BY number").fetchall()


def _list_columns(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM pragma_table_info('reviews')")]


def _rename_kept(connection: sqlite3.Connection) -> None:
    """Rename the columns of an earlier version's table, before rows with the current names are added."""
    connection.execute("BEGIN IMMEDIATE")  # so that two concurrent processes do not both rename
    renamed = find_old_names(_list_columns(connection))
    # Rename the model's fingerprint first, since the model's name takes over its column.
    for old in sorted(renamed, key=lambda name: name != "model"):
        connection.execute(f"ALTER TABLE reviews RENAME COLUMN {old} TO {renamed[old]}")
    if renamed:
        for old, new in OPINIONS.items():
            connection.execute("UPDATE reviews SET opinion = ? WHERE opinion = ?", (new, old))


def _add_columns(connection: sqlite3.Connection) -> None:
    """Add the columns that an earlier version's table lacks; they are null in its rows.

    Runs inside the transaction begun by ``_rename_kept``, so that two concurrent processes do not both add them.
    """
    there = _list_columns(connection)
    for name, kind in _ADDED.items():
        if name not in there:
            connection.execute(f"ALTER TABLE reviews ADD COLUMN {name} {kind}")


def _to_row(record: dict[str, Any]) -> list[Any]:
    from leukoscope.evaluation.predictions import PREFIX

    probabilities = {name: value for name, value in record.items() if name.startswith(PREFIX) and value is not None}
    return [json.dumps(probabilities) if name == "probabilities" else record.get(name) for name in _COLUMNS]
