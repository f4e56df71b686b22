"""A record of which predictions the review page showed to whom, in the file of the reviews."""

import pandas as pd

from leukoscope.datasets.review_table import ReviewTable

_COLUMNS = ["shown_at", "sha256", "reviewer", "browser"]
_CREATE = (
    "CREATE TABLE IF NOT EXISTS shown_opinions (number INTEGER PRIMARY KEY AUTOINCREMENT, shown_at TEXT NOT NULL, "
    "sha256 TEXT NOT NULL, reviewer TEXT NOT NULL, browser TEXT NOT NULL)"
)


class ShownOpinionsDataset(ReviewTable):
    """What was shown to whom, in a local SQLite file. Saving adds rows and never changes any; loading returns all.

    Args:
        filepath: The SQLite file, which also has other tables.
        metadata: Ignored here; may be used by other tools.
    """

    _refusal = "What was shown to whom cannot be added"

    def save(self, data: pd.DataFrame) -> None:
        """Add rows, all of them or none; without rows, only check that rows can be added.

        Raises:
            InputError: Rows cannot be added.
        """
        self._add_rows(data, _CREATE, "shown_opinions", _COLUMNS)

    def load(self) -> pd.DataFrame:
        """Read all rows, the oldest first; the table is empty if there are none.

        Returns:
            ``shown_at`` (UTC), ``sha256`` (of the file), ``reviewer`` (may be empty) and ``browser`` (a pseudonym;
            empty if there is a reviewer).

        Raises:
            InputError: The file is not a valid table.
        """
        if not self._filepath.exists():
            return pd.DataFrame(columns=_COLUMNS)
        return self._read_rows("shown_opinions", _COLUMNS)
