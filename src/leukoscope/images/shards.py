"""Pack in parts: free workers decode parts into shards, and the shards are joined into one array."""

import logging
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts, fingerprint_text, write_facts
from leukoscope.core.objects import Where
from leukoscope.core.parting import Outcome, Part, Place, follow, say_parts
from leukoscope.core.storage import hold, write_whole
from leukoscope.images.naming import NamedFile, tabulate, write_named
from leukoscope.images.packed import SCHEMA
from leukoscope.images.packing_plan import BATCH, PackedBatch, PackingPlan, Record, is_unread, refuse_all
from leukoscope.images.shared import TRIES, list_files, open_once, read_list, remove_lists, share_plan

logger = logging.getLogger(__name__)

# Files in a shard: the most that must be decoded again if a worker is killed. Small sets use smaller shards, so that
# all workers are busy and none is waited for at the end.
_PART = 512
_SMALLEST = 64
_PARTS = 32
# Number of shards checked at a time: each takes a hundred short reads, for which an object store takes seconds.
_LOOKS = 16
# A shard is a single Arrow file of records, each with its pixels.
_SHARD = ".arrow"
_PIXELS = "pixels"
_SCHEMA = SCHEMA.append(pa.field(_PIXELS, pa.large_binary()))


class _Shard(NamedTuple):
    """A part of the files, and its shard.

    Attributes:
        first: Position of its first file.
        size: Number of files.
        path: Where their records and pixels are stored.
    """

    first: int
    size: int
    path: Where


class _Task(NamedTuple):
    """A worker's description of a shard.

    Attributes:
        packing: The packing plan, without its list of files.
        files: Path of the list of the shard's files.
        shard: The shard to write.
    """

    packing: PackingPlan
    files: Path
    shard: _Shard


def pack_by_parts(
    opening: Callable[[], AbstractContextManager[Place]],
    folder: Where,
    plan: PackingPlan,
    files: Sequence[NamedFile],
    notes: Path,
) -> Iterator[PackedBatch]:
    """Let workers decode files; partially applied, it replaces ``PackingPlan.pack``.

    Args:
        opening: Opens the place where the workers run.
        folder: Folder of the shards, visible to all workers. Matching shards of an earlier run are reused.
        plan: The packing plan.
        files: The plan's files to pack, in their order.
        notes: Folder, visible to all workers, for temporary files about unfinished shards.

    Yields:
        Batches in the order of the files, as soon as all earlier ones are ready.

    Raises:
        InputError: A worker cannot decode at all, or there are no workers.
    """
    noted = notes.absolute()
    noted.mkdir(parents=True, exist_ok=True)
    remove_lists(noted)
    every = list(_divide(plan, files, folder.absolute()))
    whole = _find_whole(every, folder)
    missing = [shard for shard in every if shard not in whole]
    done = len(files) - sum(shard.size for shard in missing)
    packing = share_plan(plan)
    parts = (_describe_part(packing, files, shard, noted) for shard in missing)
    with opening() as place:
        say_parts("decoded", len(every), len(missing), place)
        outcomes = follow(place.carry_out(write_shard, parts), place, "Decoding", len(files), done)
        yield from _join(plan, files, every, missing, outcomes)


def _divide(plan: PackingPlan, files: Sequence[NamedFile], folder: Where) -> Iterator[_Shard]:
    size = min(_PART, max(_SMALLEST, len(files) // _PARTS))
    settings = write_facts(plan.settings)
    for first in range(0, len(files), size):
        part = tabulate(files, first, first + size)
        name = fingerprint_text(f"[{settings}, [{write_named(part, ', ')}]]")  # same as ``fingerprint_facts``
        yield _Shard(first, len(part), folder / f"{name}{_SHARD}")


def _find_whole(every: Sequence[_Shard], folder: Where) -> set[_Shard]:
    """Find the shards that are complete, by listing the folder once and checking many existing shards at a time."""
    there = {path.name for path in list_shards(folder)}
    found = [shard for shard in every if shard.path.name in there]
    with ThreadPoolExecutor(_LOOKS) as pool:
        return {shard for shard, is_there in zip(found, pool.map(_is_there, found), strict=True) if is_there}


def _describe_part(packing: PackingPlan, files: Sequence[NamedFile], shard: _Shard, notes: Path) -> Part:
    noted = notes / shard.path.name
    listed = list_files(noted, tabulate(files, shard.first, shard.first + shard.size))
    name = f"shard-{fingerprint_facts(str(shard.path))}"
    return Part(name, _Task(packing, listed, shard), shard.size, noted.with_suffix(TRIES))


def remove_shards(folder: Where, store: Path) -> None:
    """Remove the shards that a store was made from, unless another run is writing shards there."""
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(store))
        except InputError:
            return
        if isinstance(folder, Path):
            shutil.rmtree(folder, ignore_errors=True)
            return
        try:
            for path in list_shards(folder):
                path.unlink(missing_ok=True)
        except InputError as error:
            logger.warning("The images are packed, and shards are left in %s: %s", folder, error)


def list_shards(folder: Where) -> Iterator[Where]:
    """List the shards of a folder."""
    yield from folder.glob(f"*{_SHARD}")


def write_shard(task: _Task) -> None:
    """Decode files on a worker, and write the shard atomically."""
    if _is_there(task.shard):  # a worker that was presumed dead has finished after all
        return
    batches = open_once(task.packing).pack(read_list(task.files))
    write_whole(task.shard.path, lambda new: _write_batches(batches, new))


def _write_batches(batches: Iterable[PackedBatch], path: Path) -> None:
    """Write batches as they arrive: holding a part's pixels until the end costs a tenth of the decoding time."""
    with pa.ipc.new_file(str(path), _SCHEMA) as shard:
        for records, pixels in batches:
            columns = pa.RecordBatch.from_pylist(records, schema=SCHEMA).columns
            shard.write_batch(pa.RecordBatch.from_arrays([*columns, _as_column(records, pixels)], schema=_SCHEMA))


def _as_column(records: Sequence[Record], pixels: np.ndarray) -> pa.Array:
    """Return a column with the pixels of each record (empty if it has a reason), without copying them."""
    ends = np.cumsum([0, *("reason" not in record for record in records)]) * math.prod(pixels.shape[1:])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(pixels)]
    return pa.Array.from_buffers(pa.large_binary(), len(records), buffers)


def _join(
    plan: PackingPlan,
    files: Sequence[NamedFile],
    every: Iterable[_Shard],
    missing: Iterable[_Shard],
    outcomes: Iterator[Outcome],
) -> Iterator[PackedBatch]:
    """Yield the contents of the shards in order, while later shards are still being made."""
    awaited = set(missing)
    lost = dict[_Shard, str]()
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
            yield from _read_shard(shard, plan.image_size)
    for _ in outcomes:  # lets the progress bar finish
        pass


def _read_shard(shard: _Shard, size: int) -> Iterator[PackedBatch]:
    with _open(shard) as batches:
        for batch in batches:
            records = batch.select(SCHEMA.names).to_pylist()
            kept = [{name: value for name, value in record.items() if value is not None} for record in records]
            content = batch[_PIXELS].buffers()[2] or b""
            yield PackedBatch(kept, np.frombuffer(content, np.uint8).reshape(-1, size, size, 3))


@contextmanager
def _open(shard: _Shard, columns: Sequence[int] | None = None) -> Iterator[list[pa.RecordBatch]]:
    """Open a shard, or some of its columns. Pixels of a local file are read on access.

    From an object store only the requested columns are read: of a shard of 77 MB, 33 KB for the reasons.

    Raises:
        InputError: The shard is damaged.
    """
    try:
        options = pa.ipc.IpcReadOptions(included_fields=columns)
        is_here = isinstance(shard.path, Path)
        opened = pa.memory_map(str(shard.path)) if is_here else shard.path.open()
        with opened as file, pa.ipc.open_file(file, options=options) as reader:
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
            for batch in batches:
                batch.validate()
            if (columns is None and reader.schema != _SCHEMA) or sum(map(len, batches)) != shard.size:
                raise ValueError(f"it has {sum(map(len, batches))} records of {shard.size} files")
            yield batches
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"The shard {shard.path} cannot be read: {error}. Run the same command again, which makes it anew."
        ) from error


def _give_up(files: Sequence[NamedFile], reason: str, size: int) -> Iterator[PackedBatch]:
    records = refuse_all(files, reason)
    for start in range(0, len(records), BATCH):
        yield PackedBatch(records[start : start + BATCH], np.empty((0, size, size, 3), np.uint8))


def _is_there(shard: _Shard) -> bool:
    """Check whether a shard exists and has no files that could not be read."""
    try:
        with _open(shard, [_SCHEMA.names.index("reason")]) as batches:
            return not any(is_unread(reason) for batch in batches for reason in batch["reason"].to_pylist())
    except InputError:
        return False
