"""The data sets of studies and searches: ledgers of their finished trainings."""

from pathlib import Path
from typing import Any, Generic, TypeVar

from kedro.io import AbstractDataset, DatasetError

from leukoscope.study.ledger import Ledger
from leukoscope.study.trials import TrialLedger

Kept = TypeVar("Kept", Ledger, TrialLedger)


class _LedgerDataset(AbstractDataset[None, Kept], Generic[Kept]):
    """Loads a ledger, which finds and marks finished trainings among those of all models; there may be none.

    Args:
        ledger: The ledger to load.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, ledger: Kept, metadata: dict[str, Any] | None) -> None:
        self._ledger: Kept = ledger
        self.metadata = metadata

    def load(self) -> Kept:
        """Return the ledger."""
        return self._ledger

    def save(self, data: None) -> None:
        """Raise an error, since trainings are marked one by one."""
        raise DatasetError("Trainings are marked one by one, as they finish.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._ledger.home)}


class LedgerDataset(_LedgerDataset[Ledger]):
    """The ledger of the units of studies.

    Args:
        path: The folder that has a folder for each model.
        logs: The folder for the output of units.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, path: str, logs: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(Ledger(Path(path), Path(logs)), metadata)


class TrialLedgerDataset(_LedgerDataset[TrialLedger]):
    """The ledger of the trials of searches.

    Args:
        path: The folder that has a folder for each model.
        outputs: The folder that has a folder for each model's predictions.
        folder: The folder of the search, with its storage and the output of trials.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, path: str, outputs: str, folder: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(TrialLedger(Path(path), Path(outputs), Path(folder)), metadata)
