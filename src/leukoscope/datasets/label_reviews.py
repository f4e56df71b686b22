"""What reviewers say of doubtful labels, as a table that only grows, in the file of the other reviews."""

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
    """Reviews of labels in a local SQLite file. Saving adds rows and never changes one; loading gives all.

    Args:
        filepath: The SQLite file, which has other tables too.
        metadata: For other tools.
    """

    _refusal = "No review of a label can be added"

    def save(self, data: pd.DataFrame) -> None:
        """Add reviews, all of them or none; without rows it is seen whether some can be added.

        Raises:
            InputError: They cannot be.
        """
        self._add_rows(data, _CREATE, "label_reviews", _COLUMNS)

    def load(self) -> pd.DataFrame:
        """Read all reviews, the oldest first; no row where there is none.

        Returns:
            ``reviewed_at`` (UTC), ``sha256`` (of the image file), ``image_id``, ``data`` (the fingerprint of all images
            then), ``label``, ``suggested``, ``verdict`` (label right, label wrong, not assessable), ``reviewer_class``
            (null if not assessable), ``note`` and ``reviewer`` (either may be empty).

        Raises:
            InputError: The file is no such table.
        """
        return self._read_rows("label_reviews", _COLUMNS)
