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
from leukoscope.images.shared import TRIES, list_files, open_once, read_list, remove_lists, share_plan

# Files in a shard: what a killed worker decodes again at the most.
_PART = 512
# In a shard's records: the name of the file with its pixels.
_PIXELS = b"pixels"


class _Shard(NamedTuple):
    """Where a part of the files becomes a shard.

    Attributes:
        first: The position of its first file.
        size: How many files it has.
        path: Where their records are kept.
    """

    first: int
    size: int
    path: Path


class _Task(NamedTuple):
    """What a worker is told of a shard.

    Attributes:
        packing: How files become images, without its list of files.
        files: The file that lists them.
        shard: Where it is kept.
    """

    packing: PackingPlan
    files: Path
    shard: _Shard


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
    remove_lists(folder)
    every = list(_divide(plan, files, folder.absolute()))
    missing = [shard for shard in every if not _is_there(shard)]
    done = len(files) - sum(shard.size for shard in missing)
    packing = share_plan(plan)
    parts = (_describe_part(packing, files, shard) for shard in missing)
    with opening() as place:
        say_parts("decoded", len(every), len(missing), place)
        outcomes = follow(place.carry_out(write_shard, parts), place, "Decoding", len(files), done)
        yield from _join(plan, files, every, missing, outcomes)


def _divide(plan: PackingPlan, files: Sequence[NamedFile], folder: Path) -> Iterator[_Shard]:
    for first in range(0, len(files), _PART):
        part = files[first : first + _PART]
        yield _Shard(first, len(part), folder / f"{fingerprint_facts([plan.settings, part])}.parquet")


def _describe_part(packing: PackingPlan, files: Sequence[NamedFile], shard: _Shard) -> Part:
    listed = list_files(shard.path, files[shard.first : shard.first + shard.size])
    name = f"shard-{fingerprint_facts(str(shard.path))}"
    return Part(name, _Task(packing, listed, shard), shard.size, shard.path.with_suffix(TRIES))


def remove_shards(folder: Path, store: Path) -> None:
    """Remove the shards of which a store was made, unless another run makes others there by now."""
    with suppress(InputError), hold(store):
        shutil.rmtree(folder, ignore_errors=True)


def write_shard(task: _Task) -> None:
    """Decode files on a worker, and keep what came of them, whole or not at all."""
    path = task.shard.path
    if _is_there(task.shard):  # a worker that was taken for dead was none
        return
    files, plan = read_list(task.files), open_once(task.packing)
    records, decoded = list[Record](), 0
    pixels = np.empty((len(files), plan.image_size, plan.image_size, 3), np.uint8)
    for batch in plan.pack(files):
        pixels[decoded : decoded + len(batch.pixels)] = batch.pixels
        decoded += len(batch.pixels)
        records += batch.records
    # Records name their pixels: those of another try, which failed to read other files, are other ones.
    name = f"{fingerprint_facts([path.stem, records])}.npy"
    write_whole(path.with_name(name), lambda new: np.save(new, pixels[:decoded]))
    table = pa.Table.from_pylist(records, schema=SCHEMA.with_metadata({_PIXELS: name}))
    write_whole(path, lambda new: pq.write_table(table, new, write_page_checksum=True))


def _join(
    plan: PackingPlan,
    files: Sequence[NamedFile],
    every: Iterable[_Shard],
    missing: Iterable[_Shard],
    outcomes: Iterator[Outcome],
) -> Iterator[PackedBatch]:
    """Give what is in shards, in order, while later ones are still made."""
    awaited, lost = set(missing), dict[_Shard, str]()
    for shard in every:
        while shard in awaited:
            outcome = next(outcomes)
            task: _Task = outcome.part.task
            task.files.unlink(missing_ok=True)
            awaited.remove(task.shard)
            if outcome.lost is not None:
                lost[task.shard] = outcome.lost
        if shard in lost:
            chosen = files[shard.first : shard.first + shard.size]
            yield from _give_up(chosen, lost[shard], plan.image_size)
        else:
            yield from _read_shard(shard)
    for _ in outcomes:  # lets the progress come to its end
        pass


def _read_shard(shard: _Shard) -> Iterator[PackedBatch]:
    table, pixels = _open(shard)
    row = 0
    for start in range(0, len(table), BATCH):
        batch = table.slice(start, BATCH).to_pylist()
        records = [{name: value for name, value in record.items() if value is not None} for record in batch]
        decoded = sum("reason" not in record for record in records)
        yield PackedBatch(records, np.ascontiguousarray(pixels[row : row + decoded]))
        row += decoded


def _open(shard: _Shard) -> tuple[pa.Table, np.ndarray]:
    """Open a shard.

    Raises:
        InputError: It is not as it was written.
    """
    try:
        table = pq.read_table(shard.path, page_checksum_verification=True)
        pixels = np.load(shard.path.with_name(table.schema.metadata[_PIXELS].decode()), mmap_mode="r")
        if len(table) != shard.size or len(pixels) != table["reason"].null_count:
            raise ValueError(f"it has {len(table)} records of {shard.size} files, and {len(pixels)} images")
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise InputError(
            f"The shard {shard.path} cannot be read: {error}. Run the same command again, which makes it anew."
        ) from error
    return table, pixels


def _give_up(files: Sequence[NamedFile], reason: str, size: int) -> Iterator[PackedBatch]:
    records = refuse_all(files, reason)
    for start in range(0, len(records), BATCH):
        yield PackedBatch(records[start : start + BATCH], np.empty((0, size, size, 3), np.uint8))


def _is_there(shard: _Shard) -> bool:
    """Tell whether a shard is there with all that can be read."""
    if not shard.path.is_file():
        return False
    try:
        table, _ = _open(shard)
    except InputError:
        return False
    return not any(map(is_unread, table["reason"].to_pylist()))
