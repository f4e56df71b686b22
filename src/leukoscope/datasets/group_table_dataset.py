"""The user's table of groups as a Kedro data set."""

from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from leukoscope.core.errors import InputError
from leukoscope.core.paths import exists, explain_cut, read_path
from leukoscope.images.group_tables import read_group_table

_PARAMETER = "group_table"


class GroupTableDataset(AbstractDataset[NoReturn, pd.DataFrame | None]):
    """``GroupTableDataset`` reads which patient or slide each image is of; ``None`` where there is no such table.

    Example:
        ```yaml
        group_table:
          type: leukoscope.datasets.GroupTableDataset
          filepath: ${runtime_params:group_table,data/01_raw/groups.csv}
          default: {filepath: data/01_raw/groups.csv}
        ```
    """

    def __init__(
        self, *, filepath: str, default: dict[str, str] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Creates a new instance of ``GroupTableDataset``.

        Args:
            filepath: The table, as ``read_group_table`` takes it.
            default: With the ``filepath`` of the only one that need not be there.
            metadata: Not used here; plugins such as Kedro-Viz may.
        """
        self._given, self._default = filepath, default
        self.metadata = metadata

    @property
    def _filepath(self) -> Path:
        return read_path(self._given, _PARAMETER)

    def load(self) -> pd.DataFrame | None:
        """Read the table.

        Raises:
            InputError: It is not where it should be, or cannot be read.
        """
        path = self._filepath
        if not exists(path, _PARAMETER):
            if self._default is not None and self._default["filepath"] == self._given:
                return None
            raise InputError(
                f"There is no table of groups at {path}. Expected a CSV: give it with --params {_PARAMETER}=PATH."
                f"{explain_cut(path, _PARAMETER)}"
            )
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise InputError(f"The table of groups {path} is {what}. Expected a CSV: give the path of the file.")
        try:
            return read_group_table(path.read_bytes(), str(path))
        except OSError as error:
            raise InputError(
                f"The table of groups {path} cannot be read: {error.strerror}. Expected a CSV that this user may read."
            ) from error

    def save(self, data: NoReturn) -> NoReturn:
        """The table is never written.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read only: the user's table is never written.")

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._given)}
