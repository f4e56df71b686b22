"""Files of a source with their ids and labels, processed as columns: there may be millions."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leukoscope.images.files import FoundFile
from leukoscope.images.listing import Compact, Rows, divide, find_odd_names, list_columns, make_tuple

_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("image_id", "label", "path")]
    + [("size", pa.int64()), ("stamp", pa.int64()), ("refused", pa.string())]
)
_NEIGHBOURS = 4096
_quote = json.encoder.encode_basestring_ascii

# Map names to other names, and to labels.
Each = Callable[[list[str]], list[str]]
Label = Callable[[list[str]], list[str | None]]


class NamedFile(NamedTuple):
    """A found file with its identity.

    Attributes:
        image_id: Path relative to the class folders' parent, or else to the root, without suffix, in Unicode's
            composed form (NFC); unique in the source.
        label: Name of the class folder that contains the file, or None.
        file: The file itself.
    """

    image_id: str
    label: str | None
    file: FoundFile


class NamedFiles(Compact[NamedFile]):
    """Some files of a source, named and labelled lazily.

    Args:
        files: All files of the source.
        places: Which of them to include, ``int64 [n]``, ascending; ``None``: all.
        find_below: Returns paths relative to the parent of the class folders.
        label: Returns the labels of such paths; ``None``: files have no labels. A file that gets no label is refused.
    """

    def __init__(
        self, files: Rows[FoundFile], places: np.ndarray | None, find_below: Each, label: Label | None = None
    ) -> None:
        self._files = files
        self._places = places
        self._find_below = find_below
        self._label = label
        self._odd = find_odd_names(self._list_below, cut_suffixes)
        self._odd_places = np.fromiter(self._odd, np.int64, len(self._odd))

    def __len__(self) -> int:
        """Count the files."""
        return len(self._files) if self._places is None else len(self._places)

    def tabulate(self, start: int, stop: int) -> pa.RecordBatch:
        """Return the columns of a range, as the function ``tabulate`` does."""
        files = self._find(start, stop)
        below = self._find_below(_list(files, 0))
        ids = cut_suffixes(below)
        first, last = np.searchsorted(self._odd_places, [start, stop])
        for place in self._odd_places[first:last].tolist():
            ids[place - start] = self._odd[place]
        labels = pa.nulls(stop - start, pa.string())
        refused = files.column(3)
        if self._label is not None:
            names = self._label(below)
            labels = pa.array(names, pa.string())
            if None in names:
                known = zip(refused.to_pylist(), names, strict=True)
                reasons = [reason or (None if label else "not inside a class folder") for reason, label in known]
                refused = pa.array(reasons, pa.string())
        columns = [pa.array(ids, pa.string()), labels, *files.columns[:3], refused]
        return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)

    def find_labels(self) -> set[str | None]:
        """Return the set of labels."""
        if self._label is None:
            return {None}
        return set[str | None]().union(*map(self._label, self._list_below()))

    def _make(self, start: int, stop: int) -> list[NamedFile]:
        return list_named(self.tabulate(start, stop))

    def _find(self, start: int, stop: int) -> pa.RecordBatch:
        return self._files.read(start, stop) if self._places is None else self._files.take(self._places[start:stop])

    def _list_below(self) -> Iterator[list[str]]:
        return (self._find_below(_list(self._find(*some), 0)) for some in divide(len(self)))


def tabulate(files: Sequence[NamedFile], start: int, stop: int) -> pa.RecordBatch:
    """Return the columns of some files: ``image_id, label, path, size, stamp, refused``.

    Args:
        files: All files.
        start: The position of the first file.
        stop: The position after the last file.
    """
    if isinstance(files, NamedFiles):
        return files.tabulate(start, min(stop, len(files)))
    ids, labels, found = zip(*files[start:stop], strict=True)
    columns = map(pa.array, (ids, labels, *zip(*found, strict=True)), _SCHEMA.types)
    return pa.RecordBatch.from_arrays(list(columns), schema=_SCHEMA)


def tabulate_some(files: Sequence[NamedFile], positions: Sequence[int]) -> pa.RecordBatch:
    """Return the columns of files at some positions, which must ascend and should be close together."""
    first = positions[0]
    table = tabulate(files, first, positions[-1] + 1)
    return table if len(table) == len(positions) else table.take([position - first for position in positions])


def list_at(files: Sequence[NamedFile], positions: Sequence[int]) -> list[NamedFile]:
    """Return the files at some ascending positions, a few thousand neighbours at a time."""
    if not isinstance(files, NamedFiles):
        return [files[position] for position in positions]
    neighbours = groupby(positions, key=lambda position: position // _NEIGHBOURS)
    return [file for _, some in neighbours for file in list_named(tabulate_some(files, list(some)))]


def tabulate_each(files: Sequence[NamedFile]) -> Iterator[pa.RecordBatch]:
    """Yield the columns of all files, a few thousand at a time."""
    return (tabulate(files, *some) for some in divide(len(files)))


def list_named(table: pa.RecordBatch) -> list[NamedFile]:
    """Return the files of some columns."""
    ids, labels, *found = list_columns(table)
    files = map(make_tuple(FoundFile), zip(*found, strict=True))
    return list(map(make_tuple(NamedFile), zip(ids, labels, files, strict=True)))


def write_named(table: pa.RecordBatch, between: str = "") -> str:
    """Write each file exactly as ``json.dumps`` does.

    Args:
        table: Columns from ``tabulate``.
        between: Separator between files.
    """
    image_id, label, *found = map(_write_column, table.columns)
    return _join(table, between, ["[", image_id, ", ", label, ", ", *_write_file(found), "]"])


def write_found(table: pa.RecordBatch, between: str = "") -> str:
    """Write files without id and label, so with path, size, stamp and reason, exactly as ``json.dumps`` does."""
    return _join(table, between, _write_file(list(map(_write_column, table.columns))))


def _write_file(columns: list[Any]) -> list[Any]:
    path, size, stamp, refused = columns
    return ["[", path, ", ", size, ", ", stamp, ", ", refused, "]"]


def _join(table: pa.RecordBatch, between: str, columns: list[Any]) -> str:
    if not len(table):
        return ""
    rows = pc.binary_join_element_wise(*columns, between, "")
    content = rows.buffers()[2][: int(np.frombuffer(rows.buffers()[1], np.int32)[len(table)])]
    return str(content.to_pybytes(), "utf-8").removesuffix(between)


def _write_column(column: pa.Array) -> pa.Array | pa.Scalar:
    """Write each value as JSON: texts in quotes, and null for missing ones."""
    if column.null_count == len(column):
        return pa.scalar("null")
    if column.type != pa.string():
        return column.cast(pa.string())
    if _is_plain(column):
        quoted = pc.binary_join_element_wise('"', column, '"', "")
    else:
        quoted = pa.array([None if text is None else _quote(text) for text in column.to_pylist()], pa.string())
    return quoted.fill_null("null")


def _is_plain(column: pa.Array) -> bool:
    """Return whether texts need no escapes in JSON."""
    _, ends, content = column.buffers()
    first, last = np.frombuffer(ends, np.int32)[[column.offset, column.offset + len(column)]]
    letters = np.frombuffer(content or b"", np.uint8)[first:last]
    return bool(((letters >= 32) & (letters < 127) & (letters != ord('"')) & (letters != ord("\\"))).all())


def _list(table: pa.RecordBatch, column: int) -> list[str]:
    texts: list[str] = table.column(column).to_numpy(zero_copy_only=False).tolist()
    return texts


def cut_suffixes(paths: list[str]) -> list[str]:
    """Cut the suffixes off paths like ``os.path.splitext``, all at once if all have the same suffix."""
    lines = "\n".join([*paths, ""])
    end = f".{lines.partition(chr(10))[0].rpartition('.')[2]}\n"
    is_same = "/" not in end and lines.count(end) == lines.count("\n") == len(paths)
    if not is_same or lines.startswith(end) or any(f"{before}{end}" in lines for before in "\n/."):
        return list(map(_cut_suffix, paths))
    return lines.replace(end, "\n").split("\n")[:-1]


def _cut_suffix(path: str) -> str:
    stem, dot, suffix = path.rpartition(".")
    if dot and "/" not in suffix and stem[-1:] not in ("", "/", "."):
        return stem  # a third of the time that splitext takes
    return os.path.splitext(path)[0]
