"""Lists of millions of files, in about ten bytes per file: as Python objects they would take hundreds."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, repeat
from operator import le
from typing import Any, Generic, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CHUNK = 4096
_SCHEMA = pa.schema([("path", pa.string()), ("one", pa.int64()), ("other", pa.int64())])
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")
T = TypeVar("T")
Made = TypeVar("Made", bound=tuple[Any, ...])


def make_tuple(kind: type[Made]) -> Callable[[Iterable[Any]], Made]:
    """Return a constructor of a named tuple that takes half the time of its own: it runs for millions of files."""
    return partial(tuple.__new__, kind)


def list_columns(batch: pa.RecordBatch) -> list[list[Any]]:
    """List the values of each column through NumPy, in a third of the time of ``to_pylist``."""
    return [column.to_numpy(zero_copy_only=False).tolist() for column in batch.columns]


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
        for start in range(0, len(self), _CHUNK):
            yield from self._make(start, min(start + _CHUNK, len(self)))

    def __eq__(self, other: object) -> bool:
        """Compare with a sequence of the same items."""
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(row == other_row for row, other_row in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


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
        while chunk := list(islice(remaining, _CHUNK)):
            paths, sizes, other, reasons = zip(*chunk, strict=True)
            in_order = in_order and last <= paths[0] and all(map(le, paths, paths[1:]))
            last = paths[-1]
            self._reasons |= {place: why for place, why in enumerate(reasons, self._count) if why is not None}
            self._keep(pa.array(paths, pa.string()), pa.array(sizes, pa.int64()), pa.array(other, pa.int64()))
            self._count += len(chunk)
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

    def _make(self, start: int, stop: int) -> list[Made]:
        items = list[Made]()
        while start < stop:
            number, first = divmod(start, _CHUNK)
            count = min(stop - start, _CHUNK - first)
            columns = list_columns(self._read(number).slice(first, count))
            reasons = map(self._reasons.get, range(start, start + count)) if self._reasons else repeat(None, count)
            items.extend(map(make_tuple(self._kind), zip(*columns, reasons, strict=True)))
            start += count
        return items


class View(Compact[T]):
    """Selected items of a sequence, each converted by a function.

    Args:
        items: The sequence.
        places: Positions of the selected items; ``None``: all.
        make: Makes an item from its position in this view and the sequence's item.
    """

    def __init__(self, items: Sequence[Any], places: "array[int] | None", make: Callable[[int, Any], T]) -> None:
        self._items = items
        self._places = places
        self._new = make

    def __len__(self) -> int:
        """Count the items."""
        return len(self._items) if self._places is None else len(self._places)

    def _make(self, start: int, stop: int) -> list[T]:
        if self._places is None or start == stop:
            chosen = self._items[start:stop]
        else:
            places = self._places[start:stop]
            run = self._items[places[0] : places[-1] + 1] if places[-1] - places[0] < 2 * _CHUNK else None
            chosen = [self._items[place] if run is None else run[place - places[0]] for place in places]
        return [self._new(place, item) for place, item in enumerate(chosen, start)]


def find_odd_names(paths: Callable[[], Iterable[str]], shorten: Callable[[str], str]) -> dict[int, str]:
    """Find the paths that cannot use their short names because other paths have the same.

    Of several paths with one short name, the first uses it. The others use their whole path, with a plus sign appended
    if that is taken as well.

    Args:
        paths: Returns all paths, the same at each call.
        shorten: Returns a path's short name.

    Returns:
        The names of the other paths, by the number of the path.
    """
    ordered = _hash_each(paths(), shorten)
    ordered.sort()  # in place, since there are millions; usually nothing more has to be done
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(repeated):
        return {}
    hashes = _hash_each(paths(), shorten)
    doubted = np.isin(hashes, repeated)
    while True:  # until no other path can clash with the name of a doubtful one
        whole = [hash(path) for path, is_doubted in zip(paths(), doubted, strict=True) if is_doubted]
        more = doubted | np.isin(hashes, np.array(whole, np.int64))
        if (more == doubted).all():
            break
        doubted = more
    names = _name_each(paths(), shorten, doubted)
    if any(name.endswith("+") for name in names.values()):
        return _name_each(paths(), shorten, np.ones_like(doubted))
    return names


def _hash_each(paths: Iterable[str], shorten: Callable[[str], str]) -> np.ndarray:
    return np.fromiter((hash(shorten(path)) for path in paths), np.int64)


def _name_each(paths: Iterable[str], shorten: Callable[[str], str], doubted: np.ndarray) -> dict[int, str]:
    taken = set[str]()
    odd = dict[int, str]()
    for number, path in enumerate(paths):
        if doubted[number]:
            name = short = shorten(path)
            while name in taken:
                name = path if path not in taken else f"{name}+"
            taken.add(name)
            if name != short:
                odd[number] = name
    return odd
