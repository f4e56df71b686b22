"""Kedro's own data sets, with files that are written atomically and load as they were saved."""

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pandas as pd
from kedro.io import AbstractDataset
from kedro_datasets import json, pandas, text

from leukoscope.core.old_names import rename_columns, rename_entries
from leukoscope.datasets.own import OwnFile


class WholeFile(OwnFile):
    """Writes a temporary file next to the target, then renames it; only for unversioned files on a local disk.

    Args:
        requires: Columns of a table, or entries of a JSON object, that are required on loading.
        optional: Other columns or entries, by name or pattern, with a description or their origin, for the reference.
        options: Options of Kedro's data set.
    """

    _filepath: PurePosixPath

    def __init__(
        self, *, requires: Sequence[str] = (), optional: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.optional = dict(optional or {})
        self._requires = tuple(requires)

    def save(self, data: Any) -> None:
        """Write the file."""
        if getattr(self, "_protocol", "file") != "file" or getattr(self, "_version", None):
            super().save(data)  # type: ignore[misc]
            return

        def write(path: Path) -> None:
            # Write through a copy, since this data set may be loaded meanwhile.
            writer = copy(self)
            writer._filepath = PurePosixPath(path.as_posix())
            super(WholeFile, writer).save(data)  # type: ignore[misc]

        self.save_own(Path(self._filepath), write)

    def load(self) -> Any:
        """Read the file.

        Raises:
            InputError: The file is missing or damaged, or another run has replaced it.
        """
        with self.loading_own():
            self._check_file(Path(str(self._filepath)))
            data = _rename(super().load(), self._filepath)  # type: ignore[misc]
            self._check_content(data)
            return data

    def _check_file(self, path: Path) -> None:
        """Check for damage that reading does not reveal.

        Raises:
            ValueError: The file is damaged.
        """

    def _check_content(self, data: Any) -> None:
        if self._requires and not isinstance(data, dict | pd.DataFrame):
            raise ValueError(f"it holds a {type(data).__name__}, not what was saved")
        missing = [name for name in self._requires if name not in data]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}, as one that an earlier version wrote")


def _rename(data: Any, source: PurePosixPath) -> Any:
    """Replace names from earlier versions in the data by the current ones."""
    if isinstance(data, pd.DataFrame):
        return rename_columns(data, source)
    return rename_entries(data, source) if isinstance(data, dict) else data


class _TextFile(WholeFile):
    """A ``WholeFile`` of text, part of which may be missing or zeroed without reading failing."""

    def _check_file(self, path: Path) -> None:
        self._check_text(path.read_bytes())

    def _check_text(self, content: bytes) -> None:
        if b"\0" in content:
            raise ValueError("it has zeros where text should be")
        if not content.strip():
            raise ValueError("it is empty")


class CSVDataset(_TextFile, pandas.CSVDataset):
    """``pandas.CSVDataset``, written atomically.

    Args:
        text: Columns that are read as plain text, since names may be all digits, or NA. If there are any, only empty
            cells of the table count as missing.
        load_args: Arguments of the pandas reader.
        options: Options of ``WholeFile``.
    """

    def __init__(self, *, text: Sequence[str] = (), load_args: Mapping[str, Any] | None = None, **options: Any) -> None:
        load_args = dict(load_args or {})
        if text:
            load_args["dtype"] = load_args.get("dtype", {}) | dict.fromkeys(text, str)
            load_args |= {"keep_default_na": False, "na_values": [""]}
        super().__init__(load_args=load_args, **options)

    def _check_text(self, content: bytes) -> None:
        super()._check_text(content)
        if not content.endswith(b"\n"):
            raise ValueError("it ends in the middle of a row")


class ParquetDataset(WholeFile, pandas.ParquetDataset):
    """``pandas.ParquetDataset``, written atomically, with a checksum of each page."""

    DEFAULT_SAVE_ARGS: ClassVar[dict[str, Any]] = {"write_page_checksum": True}
    DEFAULT_LOAD_ARGS: ClassVar[dict[str, Any]] = {"page_checksum_verification": True}


class JSONDataset(WholeFile, json.JSONDataset):
    """``json.JSONDataset``, written atomically."""


class TextDataset(_TextFile, text.TextDataset):
    """``text.TextDataset``, written atomically."""


class BinaryDataset(OwnFile, AbstractDataset[bytes, bytes]):
    """The raw content of a file, written atomically.

    Args:
        filepath: The file.
        metadata: Ignored here; may be used by other tools.
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
