"""Lists of millions of files, in about ten bytes per file: as Python objects they would take hundreds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, Generic, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CHUNK = 4096
_SCHEMA = pa.schema([("path", pa.string()), ("one", pa.int64()), ("other", pa.int64())])
_READ = _SCHEMA.append(pa.field("reason", pa.string()))
_NONE = pa.RecordBatch.from_pylist([], schema=_SCHEMA)
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")
T = TypeVar("T")
Made = TypeVar("Made", bound=tuple[Any, ...])


def make_tuple(kind: type[Made]) -> Callable[[Iterable[Any]], Made]:
    """Return a constructor of a named tuple that takes half the time of its own: it runs for millions of files."""
    return partial(tuple.__new__, kind)


def list_columns(batch: pa.RecordBatch) -> list[list[Any]]:
    """List the values of each column through NumPy, in a third of the time of ``to_pylist``."""
    return [column.to_numpy(zero_copy_only=False).tolist() for column in batch.columns]


def divide(count: int) -> Iterator[tuple[int, int]]:
    """Divide a number of items into ranges that are each handled at once."""
    return ((start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


class Compact(Sequence[T], ABC, Generic[T]):
    """A sequence whose items are made on access; a slice of it is a list."""

    @abstractmethod
    def _make(self, start: int, stop: int) -> list[T]:
        """Make the items of a range within bounds."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Return an item, or the list of items of a slice."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return (
                self._make(start, max(start, stop))
                if step == 1
                else [self[place] for place in range(start, stop, step)]
            )
        place = range(len(self))[index]
        return self._make(place, place + 1)[0]

    def __iter__(self) -> Iterator[T]:
        """Yield all items, holding few in memory at once."""
        for start, stop in divide(len(self)):
            yield from self._make(start, stop)

    def __eq__(self, other: object) -> bool:
        """Compare with a sequence of the same items."""
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(row == other_row for row, other_row in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def _gather(items: Iterable[tuple[str, int, int, str | None]]) -> tuple[list[str], list[int], list[int], list[Any]]:
    """Convert items to columns, without holding on to any item: thousands would keep the garbage collector busy."""
    paths = list[str]()
    one = list[int]()
    other = list[int]()
    reasons = list[Any]()
    for path, first, second, reason in items:
        paths.append(path)
        one.append(first)
        other.append(second)
        reasons.append(reason)
    return paths, one, other, reasons


class Rows(Compact[Made]):
    """Named tuples of a path, two integers and a reason, which few items have; sorted by path.

    Args:
        items: The items, in any order.
        kind: Type of the items.

    Raises:
        UnicodeEncodeError: A path cannot be written as UTF-8.
    """

    def __init__(self, items: Iterable[tuple[str, int, int, str | None]], kind: type[Made]) -> None:
        self._kind = kind
        self._chunks = list[pa.Buffer]()
        self._reasons = dict[int, str]()
        self._count = 0
        self._open: tuple[int, pa.RecordBatch] | None = None
        last = ""
        in_order = True
        remaining = iter(items)
        while (columns := _gather(islice(remaining, _CHUNK)))[0]:
            paths, one, other, reasons = columns
            in_order = in_order and last <= paths[0] and sorted(paths) == paths  # quick if they are sorted
            last = paths[-1]
            if any(reasons):
                self._reasons |= {place: why for place, why in enumerate(reasons, self._count) if why is not None}
            self._keep(pa.array(paths, pa.string()), pa.array(one, pa.int64()), pa.array(other, pa.int64()))
            self._count += len(paths)
        if not in_order:
            self._sort()

    def _keep(self, *columns: pa.Array) -> None:
        """Store a chunk compressed, since file names have much in common."""
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, _SCHEMA, options=_COMPRESSED) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(list(columns), schema=_SCHEMA))
        self._chunks.append(stream.getvalue())

    def _read(self, number: int) -> pa.RecordBatch:
        """Read a chunk and keep it open, since usually the same chunk is read again."""
        opened = self._open
        if opened is None or opened[0] != number:
            opened = self._open = number, pa.ipc.open_stream(self._chunks[number]).read_next_batch()
        return opened[1]

    def _sort(self) -> None:
        """Sort by path, stably for equal paths. UTF-8 sorts in the order of its characters."""
        table = pa.Table.from_batches(map(self._read, range(len(self._chunks))))
        self._chunks = []
        self._open = None
        order = pc.sort_indices(table, [(_SCHEMA.names[0], "ascending")])
        places = np.empty(self._count, np.int64)
        places[np.asarray(order)] = np.arange(self._count)
        self._reasons = {int(places[place]): reason for place, reason in self._reasons.items()}
        for start in range(0, self._count, _CHUNK):
            self._keep(*table.take(order[start : start + _CHUNK]).combine_chunks().to_batches()[0].columns)

    def __len__(self) -> int:
        """Count the items."""
        return self._count

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        """Return the columns of a range: path, both numbers and the reason."""
        pieces = list[pa.RecordBatch]()
        for number in range(start // _CHUNK, -(-stop // _CHUNK)):
            first = number * _CHUNK
            chunk = self._read(number)
            pieces.append(chunk.slice(max(0, start - first), min(stop - first, len(chunk)) - max(0, start - first)))
        columns = (pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces or [_NONE])).columns
        if self._reasons:
            reasons = pa.array([self._reasons.get(place) for place in range(start, stop)], pa.string())
        else:
            reasons = pa.nulls(stop - start, pa.string())
        return pa.RecordBatch.from_arrays([*columns, reasons], schema=_READ)

    def list_paths(self, start: int, stop: int) -> list[str]:
        """List the paths of a range."""
        paths: list[str] = self.read(start, stop).column(0).to_numpy(zero_copy_only=False).tolist()
        return paths

    def take(self, places: np.ndarray) -> pa.RecordBatch:
        """Return the columns of selected rows, as ``read`` does.

        Args:
            places: Positions of the rows, ``int64 [n]``, ascending.
        """
        chunks = places // _CHUNK
        pieces = [self._take(places[chunks == number]) for number in np.unique(chunks)]
        return pa.concat_batches(pieces) if pieces else self.read(0, 0)

    def _take(self, places: np.ndarray) -> pa.RecordBatch:
        found = self.read(int(places[0]), int(places[-1]) + 1)
        return found if len(found) == len(places) else found.take(pa.array(places - places[0]))

    def _make(self, start: int, stop: int) -> list[Made]:
        return list(map(make_tuple(self._kind), zip(*list_columns(self.read(start, stop)), strict=True)))


def find_odd_names(
    chunks: Callable[[], Iterable[list[str]]], shorten: Callable[[list[str]], list[str]]
) -> dict[int, str]:
    """Find the paths that cannot use their short names because other paths have the same.

    Of several paths with one short name, the first uses it. The others use their whole path, with a plus sign appended
    if that is taken as well.

    Args:
        chunks: Returns all paths in chunks, the same at each call.
        shorten: Returns the short names of paths.

    Returns:
        The names of the other paths, by the number of the path.
    """
    ordered = _hash_each(map(shorten, chunks()))
    ordered.sort()  # in place, since there are millions; usually nothing more has to be done
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(repeated):
        return {}
    hashes = _hash_each(map(shorten, chunks()))
    doubted = np.isin(hashes, repeated)
    while True:  # until no other path can clash with the name of a doubtful one
        every = chain.from_iterable(chunks())
        whole = [hash(path) for path, is_doubted in zip(every, doubted, strict=True) if is_doubted]
        more = doubted | np.isin(hashes, np.array(whole, np.int64))
        if (more == doubted).all():
            break
        doubted = more
    names = _name_each(chunks(), shorten, doubted)
    if any(name.endswith("+") for name in names.values()):
        return _name_each(chunks(), shorten, np.ones_like(doubted))
    return names


def _hash_each(chunks: Iterable[list[str]]) -> np.ndarray:
    return np.fromiter(map(hash, chain.from_iterable(chunks)), np.int64)


def _name_each(
    chunks: Iterable[list[str]], shorten: Callable[[list[str]], list[str]], doubted: np.ndarray
) -> dict[int, str]:
    taken = set[str]()
    odd = dict[int, str]()
    pairs = chain.from_iterable(zip(chunk, shorten(chunk), strict=True) for chunk in chunks)
    for number, (path, short) in enumerate(pairs):
        if doubted[number]:
            name = short
            while name in taken:
                name = path if path not in taken else f"{name}+"
            taken.add(name)
            if name != short:
                odd[number] = name
    return odd
