"""The pages in a folder, as a Kedro data set."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class PagesDataset(AbstractDataset[NoReturn, list[str]]):
    """Loads the paths of the existing pages, relative to the folder, so that pages can link to them.

    Args:
        path: The folder of reports.
        names: Names of files in it, or patterns such as ``*/report.html``.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, path: str, names: list[str], metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self._names = names
        self.metadata = metadata

    def load(self) -> list[str]:
        """List the pages, in the order of ``names`` and alphabetically for each."""
        matches = [sorted(self._path.glob(name)) for name in self._names]
        return [path.relative_to(self._path).as_posix() for paths in matches for path in paths if path.is_file()]

    def save(self, data: NoReturn) -> NoReturn:
        """Raise an error, since each page is written by its own data set.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read only.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "names": self._names}
