"""The data set of a search: which trainings were evaluated for one."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from leukoscope.study.trials import TrialLedger


class TrialLedgerDataset(AbstractDataset[None, TrialLedger]):
    """Loading gives what finds and marks trials among the trainings of all models.

    Args:
        path: The folder that has a folder for each model.
        outputs: The folder that has a folder for each model's predictions.
        folder: Of the search: where its storage is, and what trials print.
        metadata: For other tools.
    """

    def __init__(self, *, path: str, outputs: str, folder: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self._outputs, self._folder = Path(path), Path(outputs), Path(folder)
        self.metadata = metadata

    def load(self) -> TrialLedger:
        """Open the ledger, which may have nothing."""
        return TrialLedger(self._path, self._outputs, self._folder)

    def save(self, data: None) -> None:
        """Refuse: trials are marked one by one."""
        raise DatasetError("Trials are marked one by one, as they finish.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
