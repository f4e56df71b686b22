"""The file of reviews, an SQLite database with a table for each kind of them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from leukoscope.core.errors import InputError

# Seconds to wait for another process that writes.
_PATIENCE = 5.0


class ReviewTable(AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """A table of reviews in a local SQLite file, which only grows.

    Args:
        filepath: The SQLite file, which may have other tables too.
        metadata: For other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._filepath, timeout=_PATIENCE)) as connection, connection:
            yield connection

    def _refuse_to_read(self, error: Exception) -> InputError:
        return InputError(
            f"{self._filepath} cannot be read as reviews: {error}. Expected the SQLite file that the review page "
            f"writes; put it back, or move it away to start anew by `make app`."
        )

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
