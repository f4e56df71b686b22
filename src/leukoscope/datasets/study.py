"""The data set of a study: which of its units are finished."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from leukoscope.study.ledger import Ledger


class LedgerDataset(AbstractDataset[None, Ledger]):
    """Loading gives what finds and marks finished units among the trainings of all models.

    Args:
        path: The folder that has a folder for each model.
        logs: Where what units print is kept.
        metadata: For other tools.
    """

    def __init__(self, *, path: str, logs: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self._logs = Path(path), Path(logs)
        self.metadata = metadata

    def load(self) -> Ledger:
        """Open the ledger, which may have nothing."""
        return Ledger(self._path, self._logs)

    def save(self, data: None) -> None:
        """Refuse: units are marked one by one."""
        raise DatasetError("Units are marked one by one, as they finish.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
