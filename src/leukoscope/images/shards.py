"""Packing by parts: whichever worker is free decodes one into a shard, and the shards are joined into one array."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.parting import Outcome, Part, Place, follow, say_parts
from leukoscope.core.storage import hold, write_whole
from leukoscope.images.class_folders import NamedFile
from leukoscope.images.packed import SCHEMA
from leukoscope.images.packing_plan import BATCH, PackedBatch, PackingPlan, Record, is_unread, refuse_all
from leukoscope.images.shared import open_once, share_plan

# Files in a shard: what a killed worker decodes again at the most.
_PART = 512
# In a shard's records: the name of the file with its pixels.
_PIXELS = b"pixels"


class _Task(NamedTuple):
    """The files of a shard.

    Attributes:
        packing: How they become images, without its list of files.
        files: Which.
        path: Where their records are kept.
    """

    packing: PackingPlan
    files: Sequence[NamedFile]
    path: Path


def pack_by_parts(
    opening: Callable[[], AbstractContextManager[Place]], folder: Path, plan: PackingPlan, files: Sequence[NamedFile]
) -> Iterator[PackedBatch]:
    """Let workers decode files; the first two arguments given, it stands for ``PackingPlan.pack``.

    Args:
        opening: Opens the place where they work.
        folder: Of the shards: all see it. What an earlier run has left of the same is not decoded again.
        plan: How files become images.
        files: Which of the plan's, in their order.

    Yields:
        Batches in the order of the files, as soon as all before them are there.

    Raises:
        InputError: A worker cannot decode at all, or there is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.tries"):  # this run tries all again
        left.unlink(missing_ok=True)
    packing = share_plan(plan)
    settings = fingerprint_facts(plan.settings)
    tasks = [
        _Task(packing, part, folder.absolute() / f"{fingerprint_facts([settings, part])}.parquet")
        for part in (files[start : start + _PART] for start in range(0, len(files), _PART))
    ]
    missing = [task for task in tasks if not _is_there(task)]
    count = sum(len(task.files) for task in missing)
    with opening() as place:
        say_parts("decoded", len(tasks), len(missing), place)
        parts = (Part(f"shard-{_name(task)}", task, len(task.files), _tries(task)) for task in missing)
        outcomes = follow(place.carry_out(write_shard, parts), place, "Decoding", len(files), len(files) - count)
        yield from _join(tasks, {task.path for task in missing}, outcomes)


def remove_shards(folder: Path, store: Path) -> None:
    """Remove the shards of which a store was made, unless another run makes others there by now."""
    with suppress(InputError), hold(store):
        shutil.rmtree(folder, ignore_errors=True)


def write_shard(task: _Task) -> None:
    """Decode files on a worker, and keep what came of them, whole or not at all."""
    if task.path.is_file() and _is_there(task):  # a worker that was taken for dead was none
        return
    plan, records, decoded = open_once(task.packing), list[Record](), 0
    pixels = np.empty((len(task.files), plan.image_size, plan.image_size, 3), np.uint8)
    for batch in plan.pack(task.files):
        pixels[decoded : decoded + len(batch.pixels)] = batch.pixels
        decoded += len(batch.pixels)
        records += batch.records
    # Records name their pixels: those of another try, which failed to read other files, are other ones.
    name = f"{fingerprint_facts([task.path.stem, records])}.npy"
    write_whole(task.path.with_name(name), lambda path: np.save(path, pixels[:decoded]))
    table = pa.Table.from_pylist(records, schema=SCHEMA.with_metadata({_PIXELS: name}))
    write_whole(task.path, lambda path: pq.write_table(table, path, write_page_checksum=True))


def _join(tasks: Iterable[_Task], missing: set[Path], outcomes: Iterator[Outcome]) -> Iterator[PackedBatch]:
    """Give what is in shards, in order, while later ones are still made."""
    lost: dict[Path, str] = {}
    for task in tasks:
        while task.path in missing:
            outcome = next(outcomes)
            missing.remove(outcome.part.task.path)
            if outcome.lost is not None:
                lost[outcome.part.task.path] = outcome.lost
        yield from _give_up(task, lost[task.path]) if task.path in lost else _read_shard(task)
    for _ in outcomes:  # lets the progress come to its end
        pass


def _read_shard(task: _Task) -> Iterator[PackedBatch]:
    table, pixels = _open(task)
    row = 0
    for start in range(0, len(table), BATCH):
        batch = table.slice(start, BATCH).to_pylist()
        records = [{name: value for name, value in record.items() if value is not None} for record in batch]
        decoded = sum("reason" not in record for record in records)
        yield PackedBatch(records, np.ascontiguousarray(pixels[row : row + decoded]))
        row += decoded


def _open(task: _Task) -> tuple[pa.Table, np.ndarray]:
    """Open a shard.

    Raises:
        InputError: It is not as it was written.
    """
    try:
        table = pq.read_table(task.path, page_checksum_verification=True)
        pixels = np.load(task.path.with_name(table.schema.metadata[_PIXELS].decode()), mmap_mode="r")
        expected = (len(task.files), table["reason"].null_count)
        if (len(table), len(pixels)) != expected:
            raise ValueError(f"it has {len(table)} records and {len(pixels)} images, and {expected} are expected")
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise InputError(
            f"The shard {task.path} cannot be read: {error}. Run the same command again, which makes it anew."
        ) from error
    return table, pixels


def _give_up(task: _Task, reason: str) -> Iterator[PackedBatch]:
    records = refuse_all(task.files, reason)
    for start in range(0, len(records), BATCH):
        yield PackedBatch(records[start : start + BATCH], np.empty((0, *[task.packing.image_size] * 2, 3), np.uint8))


def _is_there(task: _Task) -> bool:
    """Tell whether a shard is there with all that can be read."""
    if not task.path.is_file():
        return False
    try:
        table, _ = _open(task)
    except InputError:
        return False
    return not any(map(is_unread, table["reason"].to_pylist()))


def _name(task: _Task) -> str:
    return fingerprint_facts(str(task.path))


def _tries(task: _Task) -> Path:
    return task.path.with_suffix(".tries")
