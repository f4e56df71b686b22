"""Lists of millions of files, in tens of bytes a file: as objects of Python they would take hundreds."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from typing import Any, Generic, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CHUNK = 4096
T = TypeVar("T")


class Compact(Sequence[T], ABC, Generic[T]):
    """A sequence whose items are made when they are asked for; a slice of it is a list."""

    @abstractmethod
    def _make(self, start: int, stop: int) -> list[T]:
        """Make the items of a range, which is within bounds."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Give an item, or a list of some."""
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
        """Give all items, of which few are in memory at once."""
        for start in range(0, len(self), _CHUNK):
            yield from self._make(start, min(start + _CHUNK, len(self)))

    def __eq__(self, other: object) -> bool:
        """Compare with a sequence of the same items."""
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class Rows(Compact[T]):
    """Items of one kind of named tuple: a path, two whole numbers, and a reason that few have; sorted by path.

    Args:
        items: In any order.
        make: Makes an item of its four parts.

    Raises:
        UnicodeEncodeError: A path cannot be written as UTF-8.
    """

    def __init__(self, items: Iterable[tuple[str, int, int, str | None]], make: Callable[..., T]) -> None:
        self._new = make
        self._paths, self._numbers, self._reasons = list[pa.Array](), list[np.ndarray](), dict[int, str]()
        self._count, last, in_order = 0, "", True
        remaining = iter(items)
        while chunk := list(islice(remaining, _CHUNK)):
            for path, _, _, reason in chunk:
                in_order, last = in_order and last <= path, path
                if reason is not None:
                    self._reasons[self._count] = reason
                self._count += 1
            self._paths.append(pa.array([item[0] for item in chunk], pa.string()))
            self._numbers.append(np.array([item[1:3] for item in chunk], np.int64))
        if not in_order:
            self._sort()

    def _sort(self) -> None:
        """Sort by path; of equal ones the first stays the first. UTF-8 sorts as the characters do."""
        paths = pa.chunked_array(self._paths)
        order = np.asarray(pc.sort_indices(pa.table({"path": paths}), [("path", "ascending")]))
        numbers, starts = np.concatenate(self._numbers), range(0, self._count, _CHUNK)
        places = np.empty(self._count, np.int64)
        places[order] = np.arange(self._count)
        self._reasons = {int(places[place]): reason for place, reason in self._reasons.items()}
        self._numbers = [numbers[order[start : start + _CHUNK]] for start in starts]
        self._paths = [paths.take(pa.array(order[start : start + _CHUNK])).combine_chunks() for start in starts]

    def __len__(self) -> int:
        """Count the items."""
        return self._count

    def _make(self, start: int, stop: int) -> list[T]:
        items = list[T]()
        while start < stop:
            number, first = divmod(start, _CHUNK)
            count = min(stop - start, _CHUNK - first)
            paths = self._paths[number].slice(first, count).to_pylist()
            one, other = self._numbers[number][first : first + count].T.tolist()
            reasons = map(self._reasons.get, range(start, start + count)) if self._reasons else repeat(None, count)
            items.extend(map(self._new, paths, one, other, reasons))
            start += count
        return items


class View(Compact[T]):
    """Some items of a sequence, each made into another.

    Args:
        items: The sequence.
        places: Which of them; ``None``: all.
        make: Makes an item of its place in this view and of the sequence's.
    """

    def __init__(self, items: Sequence[Any], places: "array[int] | None", make: Callable[[int, Any], T]) -> None:
        self._items, self._places, self._new = items, places, make

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
    """Find which of many paths cannot be called by their short names, since others are called so.

    The first of several is; the others keep the whole path, and get a plus sign where another is called by that too.

    Args:
        paths: Gives all paths, each time the same.
        shorten: Gives a path's short name.

    Returns:
        The names of those, by the number of the path.
    """
    hashes = np.fromiter((hash(shorten(path)) for path in paths()), np.int64)
    ordered = np.sort(hashes)
    doubted = np.isin(hashes, ordered[1:][ordered[1:] == ordered[:-1]])
    if not doubted.any():
        return {}
    while True:  # until none of the others can be called as one of them
        whole = [hash(path) for path, is_doubted in zip(paths(), doubted, strict=True) if is_doubted]
        more = doubted | np.isin(hashes, np.array(whole, np.int64))
        if (more == doubted).all():
            break
        doubted = more
    names = _name_each(paths(), shorten, doubted)
    if any(name.endswith("+") for name in names.values()):
        return _name_each(paths(), shorten, np.ones_like(doubted))
    return names


def _name_each(paths: Iterable[str], shorten: Callable[[str], str], doubted: np.ndarray) -> dict[int, str]:
    taken, odd = set[str](), dict[int, str]()
    for number, path in enumerate(paths):
        if doubted[number]:
            name = short = shorten(path)
            while name in taken:
                name = path if path not in taken else f"{name}+"
            taken.add(name)
            if name != short:
                odd[number] = name
    return odd
