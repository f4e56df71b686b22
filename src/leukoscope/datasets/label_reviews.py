"""Reviews of doubtful labels, as an append-only table in the file of the other reviews."""

import pandas as pd

from leukoscope.datasets.review_table import ReviewTable

_COLUMNS = ["reviewed_at", "sha256", "image_id", "data", "label", "suggested", "verdict", "reviewer_class"]
_COLUMNS += ["note", "reviewer"]
_CREATE = (
    "CREATE TABLE IF NOT EXISTS label_reviews (number INTEGER PRIMARY KEY AUTOINCREMENT, reviewed_at TEXT NOT NULL, "
    "sha256 TEXT NOT NULL, image_id TEXT NOT NULL, data TEXT NOT NULL, label TEXT NOT NULL, suggested TEXT NOT NULL, "
    "verdict TEXT NOT NULL, reviewer_class TEXT, note TEXT NOT NULL, reviewer TEXT NOT NULL)"
)


class LabelReviewsDataset(ReviewTable):
    """Reviews of labels in a local SQLite file. Saving adds rows and never changes any; loading returns all.

    Args:
        filepath: The SQLite file, which also has other tables.
        metadata: Ignored here; may be used by other tools.
    """

    _refusal = "No review of a label can be added"

    def save(self, data: pd.DataFrame) -> None:
        """Add reviews, all of them or none; without rows, only check that reviews can be added.

        Raises:
            InputError: Reviews cannot be added.
        """
        self._add_rows(data, _CREATE, "label_reviews", _COLUMNS)

    def load(self) -> pd.DataFrame:
        """Read all reviews, the oldest first; the table is empty if there are none.

        Returns:
            ``reviewed_at`` (UTC), ``sha256`` (of the image file), ``image_id``, ``data`` (the fingerprint of all images
            at that time), ``label``, ``suggested``, ``verdict`` (label right, label wrong, not assessable),
            ``reviewer_class`` (null if not assessable), ``note`` and ``reviewer`` (either may be empty).

        Raises:
            InputError: The file is not a valid table of reviews.
        """
        return self._read_rows("label_reviews", _COLUMNS)
