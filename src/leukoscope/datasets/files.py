"""Kedro's own data sets, with files that appear whole or not at all, and load as they were saved."""

from copy import copy
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets import json, matplotlib, pandas, text

from leukoscope.datasets.own import OwnFile
from leukoscope.errors import InputError


class _WholeFile(OwnFile):
    """Writes beside the file's place, then renames; on a local disk, and for files without versions."""

    _filepath: PurePosixPath

    def save(self, data: Any) -> None:
        if getattr(self, "_protocol", "file") != "file" or getattr(self, "_version", None):
            super().save(data)  # type: ignore[misc]
            return

        def write(path: Path) -> None:
            # By a copy, since this data set may be loaded meanwhile.
            writer = copy(self)
            writer._filepath = PurePosixPath(path.as_posix())
            super(_WholeFile, writer).save(data)  # type: ignore[misc]

        self.save_own(Path(self._filepath), write)

    def load(self) -> Any:
        with self.loading_own():
            return super().load()  # type: ignore[misc]


class CSVDataset(_WholeFile, pandas.CSVDataset):
    """``pandas.CSVDataset``, whole or not at all."""


class ParquetDataset(_WholeFile, pandas.ParquetDataset):
    """``pandas.ParquetDataset``, whole or not at all."""


class JSONDataset(_WholeFile, json.JSONDataset):
    """``json.JSONDataset``, whole or not at all."""


class TextDataset(_WholeFile, text.TextDataset):
    """``text.TextDataset``, whole or not at all."""


class BinaryDataset(OwnFile, AbstractDataset[bytes, bytes]):
    """A file's content as it is, whole or not at all.

    Args:
        filepath: The file.
        metadata: For other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> bytes:
        """Read the file."""
        with self.loading_own():
            return self._filepath.read_bytes()

    def save(self, data: bytes) -> None:
        """Write the file."""
        self.save_own(self._filepath, lambda path: path.write_bytes(data))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class FigureDataset(_WholeFile, matplotlib.MatplotlibDataset):
    """``matplotlib.MatplotlibDataset``, whole or not at all, which loads as the bytes of its file."""

    def load(self) -> bytes:
        """Read the picture.

        Raises:
            InputError: It has not been drawn yet.
        """
        path = Path(str(self._filepath))
        with self.loading_own():
            if not path.is_file():
                raise InputError(f"There is no figure {path}. Run the pipeline that draws it.")
            return path.read_bytes()
