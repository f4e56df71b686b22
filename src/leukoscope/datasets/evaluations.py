"""All evaluations on test sets, as an append-only Kedro data set."""

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from leukoscope.core.errors import InputError
from leukoscope.core.old_names import rename_entries
from leukoscope.core.storage import as_read_from_json, hold, write_whole

Evaluation = dict[str, Any]
_KEY = ("model_fingerprint", "test")
_KEY_OF_ROW = {*_KEY, "model", "unit"}


class EvaluationsDataset(AbstractDataset[Evaluation, list[Evaluation]]):
    """Keeps one row per model and set of test images, from the first evaluation on, in a file of JSON lines.

    Saving adds a row, or replaces the row of the same model on the same images. Loading returns all rows, the oldest
    first, or none if there is no file. Several models share one file.

    Args:
        filepath: The file.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath).resolve()  # so that all links to the file share its lock
        self.metadata = metadata

    def load(self) -> list[Evaluation]:
        """Read all rows.

        Raises:
            InputError: The file is damaged.
        """
        if not self._filepath.exists():
            return []
        try:
            kept = [json.loads(line) for line in self._filepath.read_text().splitlines()]
            rows = rename_entries(kept, self._filepath)
            if not rows or not all(row.keys() >= _KEY_OF_ROW for row in rows):
                raise ValueError(f"each of its lines must have {', '.join(sorted(_KEY_OF_ROW))}")
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(
                f"The file {self._filepath}, which counts the evaluations on each test set, is damaged: {error}. Mend "
                f"the line, or move the file away: then the count begins anew with the next `kedro run --pipelines "
                f"evaluation`."
            ) from error
        return rows

    def save(self, data: Evaluation) -> None:
        """Add a row; leave the file unchanged if it already contains the same row."""
        with hold(self._filepath, wait=True):
            rows = self.load()
            if as_read_from_json(data) in rows:
                return
            others = [row for row in rows if any(row[name] != data[name] for name in _KEY)]
            text = "".join(json.dumps(row) + "\n" for row in [*others, data])
            write_whole(self._filepath, lambda path: path.write_text(text))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
