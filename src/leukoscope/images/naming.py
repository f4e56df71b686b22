"""Files of a source with their ids and labels, a few thousand at a time: there may be millions."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from leukoscope.images.files import FoundFile
from leukoscope.images.listing import Compact, Rows, divide, find_odd_names, list_columns, make_tuple

_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("image_id", "label", "path")]
    + [("size", pa.int64()), ("stamp", pa.int64()), ("refused", pa.string())]
)
_quote = json.encoder.encode_basestring_ascii

# Takes names, and gives something for each.
Each = Callable[[list[str]], list[str]]
Label = Callable[[list[str]], list[str | None]]


class NamedFile(NamedTuple):
    """A found file with its identity.

    Attributes:
        image_id: Path below the class folders' parent, or else below the root, without suffix, in Unicode's composed
            form (NFC); unique in the source.
        label: Name of the class folder that the file lies in, or None.
        file: The file itself.
    """

    image_id: str
    label: str | None
    file: FoundFile


class NamedFiles(Compact[NamedFile]):
    """Some files of a source, which get their names and labels when they are asked for.

    Args:
        files: All of the source.
        places: Which of them, ``int64 [n]``, ascending; ``None``: all.
        find_below: Gives paths below the class folders' parent.
        label: Gives the labels of such paths; ``None``: files have none. A file without has a reason not to be read.
    """

    def __init__(
        self, files: Rows[FoundFile], places: np.ndarray | None, find_below: Each, label: Label | None = None
    ) -> None:
        self._files, self._places, self._find_below, self._label = files, places, find_below, label
        self._odd = find_odd_names(self._list_below, cut_suffixes)
        self._odd_places = np.fromiter(self._odd, np.int64, len(self._odd))

    def __len__(self) -> int:
        """Count the files."""
        return len(self._files) if self._places is None else len(self._places)

    def tabulate(self, start: int, stop: int) -> pa.RecordBatch:
        """Give the columns of a range; as ``tabulate`` has it."""
        found = self._find(start, stop)
        below = self._find_below(_list(found, 0))
        ids = cut_suffixes(below)
        first, last = np.searchsorted(self._odd_places, [start, stop])
        for place in self._odd_places[first:last].tolist():
            ids[place - start] = self._odd[place]
        labels, refused = pa.nulls(stop - start, pa.string()), found.column(3)
        if self._label is not None:
            given = self._label(below)
            labels = pa.array(given, pa.string())
            if None in given:
                reasons = zip(refused.to_pylist(), given, strict=True)
                why_not = [why or (None if one else "not inside a class folder") for why, one in reasons]
                refused = pa.array(why_not, pa.string())
        columns = [pa.array(ids, pa.string()), labels, *found.columns[:3], refused]
        return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)

    def find_labels(self) -> set[str | None]:
        """Find which labels there are."""
        if self._label is None:
            return {None}
        found = map(self._label, self._list_below())
        return set[str | None]().union(*found)

    def _make(self, start: int, stop: int) -> list[NamedFile]:
        return list_named(self.tabulate(start, stop))

    def _find(self, start: int, stop: int) -> pa.RecordBatch:
        return self._files.read(start, stop) if self._places is None else self._files.take(self._places[start:stop])

    def _list_below(self) -> Iterator[list[str]]:
        return (self._find_below(_list(self._find(*some), 0)) for some in divide(len(self)))


def tabulate(files: Sequence[NamedFile], start: int, stop: int) -> pa.RecordBatch:
    """Give the columns of some files: ``image_id, label, path, size, stamp, refused``.

    Args:
        files: All files.
        start: The position of the first that is wanted.
        stop: That after the last.
    """
    if isinstance(files, NamedFiles):
        return files.tabulate(start, min(stop, len(files)))
    ids, labels, found = zip(*files[start:stop], strict=True)
    columns = map(pa.array, (ids, labels, *zip(*found, strict=True)), _SCHEMA.types)
    return pa.RecordBatch.from_arrays(list(columns), schema=_SCHEMA)


def tabulate_some(files: Sequence[NamedFile], positions: Sequence[int]) -> pa.RecordBatch:
    """Give the columns of files at some positions, which ascend and are near each other."""
    first = positions[0]
    table = tabulate(files, first, positions[-1] + 1)
    return table if len(table) == len(positions) else table.take([position - first for position in positions])


def tabulate_each(files: Sequence[NamedFile]) -> Iterator[pa.RecordBatch]:
    """Give the columns of all files, some thousand at a time."""
    return (tabulate(files, *some) for some in divide(len(files)))


def list_named(table: pa.RecordBatch) -> list[NamedFile]:
    """List the files whose columns were given."""
    ids, labels, *found = list_columns(table)
    files = map(make_tuple(FoundFile), zip(*found, strict=True))
    return list(map(make_tuple(NamedFile), zip(ids, labels, files, strict=True)))


def write_named(table: pa.RecordBatch) -> list[str]:
    """Write each file as ``json.dumps`` does, in a part of the time."""
    ids, labels, paths, sizes, stamps, refused = list_columns(table)
    columns = zip(
        _quote_all(ids), _quote_few(labels), _quote_all(paths), sizes, stamps, _quote_few(refused), strict=True
    )
    return [f"[{name}, {label}, [{path}, {size}, {stamp}, {why}]]" for name, label, path, size, stamp, why in columns]


def write_found(table: pa.RecordBatch) -> list[str]:
    """Write each file of which there are path, size, stamp and reason as ``json.dumps`` does."""
    paths, sizes, stamps, refused = list_columns(table)
    columns = zip(_quote_all(paths), sizes, stamps, _quote_few(refused), strict=True)
    return [f"[{path}, {size}, {stamp}, {why}]" for path, size, stamp, why in columns]


def _quote_all(texts: list[str]) -> list[str]:
    whole = "".join(texts)
    if len(_quote(whole)) == len(whole) + 2:  # nothing needs more than the quotes
        return [f'"{text}"' for text in texts]
    return list(map(_quote, texts))


def _quote_few(texts: list[str | None]) -> list[str]:
    """Quote texts of which there are few, and many the same."""
    quoted = {text: "null" if text is None else _quote(text) for text in set(texts)}
    return list(map(quoted.__getitem__, texts))


def _list(table: pa.RecordBatch, column: int) -> list[str]:
    texts: list[str] = table.column(column).to_numpy(zero_copy_only=False).tolist()
    return texts


def cut_suffixes(paths: list[str]) -> list[str]:
    """Give paths without their suffixes, as of ``os.path.splitext``, in a fifth of the time."""
    whole = "\n".join(paths)
    if whole.startswith(".") or any(odd in whole for odd in ("\n.", "/.", "..")):  # a dot may not begin a suffix
        return [os.path.splitext(path)[0] for path in paths]
    divided = (path.rpartition(".") for path in paths)
    return [
        stem if dot and "/" not in suffix else path for path, (stem, dot, suffix) in zip(paths, divided, strict=True)
    ]
