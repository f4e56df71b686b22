"""Find near duplicates in parts: each worker compares some images with others, and the pairs are joined."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from hashlib import sha256
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import numpy as np

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.parting import Outcome, Part, Place, follow, say_parts
from leukoscope.core.storage import write_whole
from leukoscope.images.duplicates import Hashes, find_pairs, thin
from leukoscope.images.likeness import Likeness
from leukoscope.images.packed import PIXELS, STORE
from leukoscope.images.shared import TRIES

_TILE = 1024
# Tiles per side of a part, which keeps about 10 KB of each image whose pixels it inspects.
_SIDE = 8
_HASHES = "hashes"
_ROWS = "rows"


class _Task(NamedTuple):
    """A worker's description of a part.

    Attributes:
        store: The folder of the packed images.
        given: Common prefix of the paths of the files with all hashes and rows.
        distance: Number of bits in which hashes may differ.
        first: Number of the first image on one side of the comparison.
        second: Number of the first image on the other side.
        size: Number of images on each side.
        tile: Number of images compared at a time.
        path: Where the pairs are stored.
    """

    store: Path
    given: Path
    distance: int
    first: int
    second: int
    size: int
    tile: int
    path: Path


def find_by_parts(
    opening: Callable[[], AbstractContextManager[Place]], store: Path, rows: np.ndarray, hashes: Hashes
) -> Iterator[np.ndarray]:
    """Let workers find the pairs that look alike; partially applied, it is the ``find`` of ``group_duplicates``.

    A small number of images is compared in this process.

    Args:
        opening: Opens the place where the workers run.
        store: The folder of the packed images, visible to all workers; parts are stored next to it.
        rows: The row of each image in the packed pixels, by its position.
        hashes: The hashes of the images.

    Yields:
        The pairs of positions of each part, ``int64 [2, m]``.

    Raises:
        InputError: A worker cannot compare, or there are no workers.
    """
    packed_rows = rows[hashes.positions]
    size = _SIDE * _TILE
    if len(packed_rows) <= size:
        pixels = np.load(store / PIXELS, mmap_mode="r")
        yield from find_pairs(hashes, Likeness(lambda position: pixels[rows[position]]), tile=_TILE)
        return
    folder = store.with_name(f".{store.name}.pairs").absolute()
    tasks = _divide(store.absolute(), folder, packed_rows, hashes, size)
    missing = [task for task in tasks if not task.path.is_file()]
    parts = (Part(f"pairs-{task.path.stem}", task, 1, task.path.with_suffix(TRIES)) for task in missing)
    with opening() as place:
        say_parts("compared", len(tasks), len(missing), place)
        outcomes = place.carry_out(write_pairs, parts)
        for outcome in follow(outcomes, place, "Comparing", len(tasks), len(tasks) - len(missing), "parts"):
            _require_done(outcome)
    for task in tasks:
        yield hashes.positions[np.load(task.path)]
    shutil.rmtree(folder, ignore_errors=True)


def _divide(store: Path, folder: Path, rows: np.ndarray, hashes: Hashes, size: int) -> list[_Task]:
    """Divide all pairs into parts, write the workers' input next to them, and remove files of other images."""
    digest = sha256(hashes.packed.tobytes() + np.ascontiguousarray(rows).tobytes()).hexdigest()
    name = fingerprint_facts([digest, hashes.distance, size, _TILE, (store / STORE).read_text()])
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if not left.name.startswith(name) or left.suffix == TRIES:
            left.unlink(missing_ok=True)
    files = {folder / f"{name}-{what}.npy": array for what, array in ((_HASHES, hashes.packed), (_ROWS, rows))}
    for file, array in files.items():
        write_whole(file, partial(_save, array))
    places = store, folder / name, hashes.distance
    return [
        _Task(*places, first, second, size, _TILE, folder / f"{name}-{first}-{second}.npy")
        for first, second in combinations_with_replacement(range(0, len(rows), size), 2)
    ]


def _save(array: np.ndarray, path: Path) -> None:
    np.save(path, array)


def write_pairs(task: _Task) -> None:
    """Compare images on a worker, and write atomically which look alike, by their numbers among the hashes."""
    if task.path.is_file():  # a worker that was presumed dead has finished after all
        return
    packed, rows = (np.load(f"{task.given}-{what}.npy", mmap_mode="r") for what in (_HASHES, _ROWS))
    pixels = np.load(task.store / PIXELS, mmap_mode="r")
    hashes = Hashes(np.arange(len(packed)), packed, task.distance)
    tops, starts = (slice(number, number + task.size) for number in (task.first, task.second))
    near_pairs = find_pairs(hashes, Likeness(lambda number: pixels[rows[number]]), tops, starts, task.tile)
    pairs = thin(np.concatenate([np.empty((2, 0), np.int64), *near_pairs], axis=1))
    write_whole(task.path, partial(_save, pairs))


def _require_done(outcome: Outcome) -> None:
    if outcome.lost is not None:
        raise InputError(
            f"Images could not be compared for near duplicates: {outcome.lost}, which is often a lack of memory. Give "
            f"workers more, or set ingestion.near_duplicate_distance=null; the same command goes on."
        )
