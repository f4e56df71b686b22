"""The installed software as a Kedro data set."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from leukoscope.core.software import describe_software


class SoftwareDataset(AbstractDataset[NoReturn, dict[str, Any]]):
    """Loads the versions of the software that computes, and the commit of the project.

    Args:
        filepath: The project's folder.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Look up the versions and the commit."""
        return describe_software(self._filepath)

    def save(self, data: NoReturn) -> NoReturn:
        """Raise an error, since software is not written.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read only.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
