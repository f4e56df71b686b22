"""The user's tables of groups and of labels as Kedro data sets."""

from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from leukoscope.core.errors import InputError
from leukoscope.core.paths import exists, explain_cut, read_path
from leukoscope.images.user_tables import GROUPS, LABELS, Kind, read_table


class _UserTable(AbstractDataset[NoReturn, pd.DataFrame | None]):
    """A table that only the user writes; ``None`` if there is none.

    Attributes:
        kind: Kind of the table.
        parameter: The parameter that sets its path.
    """

    kind: ClassVar[Kind]
    parameter: ClassVar[str]

    def __init__(
        self, *, filepath: str, default: dict[str, str] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Creates a new instance.

        Args:
            filepath: The table, in a format that ``read_table`` accepts.
            default: Has the ``filepath`` of the only table that may be missing.
            metadata: Not used here; plugins such as Kedro-Viz may.
        """
        self._given = filepath
        self._default = default
        self.metadata = metadata

    @property
    def _filepath(self) -> Path:
        return read_path(self._given, self.parameter)

    def load(self) -> pd.DataFrame | None:
        """Read the table.

        Raises:
            InputError: The table is missing or cannot be read.
        """
        path = self._filepath
        if not exists(path, self.parameter):
            if self._default is not None and self._default["filepath"] == self._given:
                return None
            raise InputError(
                f"There is no {self.kind.title} at {path}. Expected a CSV: give it with --params {self.parameter}=PATH."
                f"{explain_cut(path, self.parameter)}"
            )
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise InputError(f"The {self.kind.title} {path} is {what}. Expected a CSV: give the path of the file.")
        try:
            return read_table(path.read_bytes(), str(path), self.kind)
        except OSError as error:
            raise InputError(
                f"The {self.kind.title} {path} cannot be read: {error.strerror}. Expected a CSV that this user may "
                f"read."
            ) from error

    def save(self, data: NoReturn) -> NoReturn:
        """Raise an error, since the user's table is never written.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{type(self).__name__} is read only: the user's table is never written.")

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._given)}


class GroupTableDataset(_UserTable):
    """``GroupTableDataset`` reads which patient or slide each image belongs to; ``None`` if there is no such table.

    Example:
        ```yaml
        group_table:
          type: leukoscope.datasets.GroupTableDataset
          filepath: ${runtime_params:group_table,data/01_raw/groups.csv}
          default: {filepath: data/01_raw/groups.csv}
        ```
    """

    kind = GROUPS
    parameter = "group_table"


class LabelTableDataset(_UserTable):
    """``LabelTableDataset`` reads the classes of images, overriding their folders; ``None`` if there is no such table.

    Example:
        ```yaml
        label_table:
          type: leukoscope.datasets.LabelTableDataset
          filepath: ${runtime_params:label_table,data/01_raw/labels.csv}
          default: {filepath: data/01_raw/labels.csv}
        ```
    """

    kind = LABELS
    parameter = "label_table"
