"""One packed array of all images that can be decoded, on disk, and the record of every file found.

A store is a folder with ``pixels.npy`` (``uint8 [n, size, size, 3]``, RGB), ``records.parquet`` (one row a file found)
and ``store.json`` (what it was made from).
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leukoscope.core.drawn import is_drawn
from leukoscope.core.errors import DamageError, InputError, telling_damage
from leukoscope.core.storage import describe_fault, write_array_header, write_folder_whole
from leukoscope.images.class_folders import NamedFile, label_files, name_files
from leukoscope.images.decoding import Limits, UnusableImageError, decode, perceptual_hash, resize
from leukoscope.images.files import FoundFile, ImageSource, ReadFile

logger = logging.getLogger(__name__)

# Part of every fingerprint: raise it whenever decoding or the store's layout changes.
PACKED_FORMAT = 4
_BATCH = 16
# A row group of Parquet costs memory until the file is closed, and time.
_ROW_GROUP = 512
_PIXELS, _RECORDS, _STORE = "pixels.npy", "records.parquet", "store.json"
# Begins the reason of a file that could not be read, whatever is in it; a folder that cannot be listed has it too.
_UNREAD = "unreadable"
_NAMES_SHOWN = 5
_SCHEMA = pa.schema(
    {
        "image_id": pa.string(),
        "path": pa.string(),
        "label": pa.string(),
        "sha256": pa.string(),
        "perceptual_hash": pa.string(),
        "bytes": pa.int64(),
        "width": pa.int32(),
        "height": pa.int32(),
        "mode": pa.string(),
        "drawn": pa.bool_(),
        "reason": pa.string(),
        "warning": pa.string(),
        "row": pa.int64(),
    }
)

T = TypeVar("T")
R = TypeVar("R")
Record = dict[str, str | int | None]


class PackedBatch(NamedTuple):
    """What became of some files.

    Attributes:
        records: One a file, with a reason for each that could not be decoded.
        pixels: ``uint8 [decoded, size, size, 3]``.
    """

    records: list[Record]
    pixels: np.ndarray


@dataclass(frozen=True)
class PackingPlan:
    """All that is needed to pack a source's images, of which none has been read yet.

    Attributes:
        source: Where the images are.
        class_names: Names of the class folders; None: images without labels, in whatever folders.
        image_size: Side of the packed images in pixels.
        limits: What a file must keep to.
        workers: Threads that decode, or None for one a core.
    """

    source: ImageSource
    class_names: tuple[str, ...] | None
    image_size: int
    limits: Limits
    workers: int | None = None

    @cached_property
    def files(self) -> list[NamedFile]:
        """The files to pack, in manifest order.

        Raises:
            InputError: The source has no class folders, several sets of them, or an empty one; or no file at all.
        """
        return name_files(self.source) if self.class_names is None else label_files(self.source, self.class_names)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that the packed store depends on, without reading a single image."""
        settings = [PACKED_FORMAT, _SCHEMA.names, self.class_names, self.image_size, self.limits]
        digest = hashlib.sha256(json.dumps(settings).encode())
        for file in self.files:
            digest.update(json.dumps(file).encode())
        return digest.hexdigest()

    def pack(self, files: Sequence[NamedFile] | None = None) -> Iterator[PackedBatch]:
        """Read, decode and resize every file once, by all workers; gives batches in manifest order.

        No more batches are in memory than keep the workers busy, however many images there are. A batch's pixels are
        overwritten once the next one is asked for.

        Args:
            files: Which of the plan's files, in their order; None: all.
        """
        # Threads, since Pillow, simplejpeg and hashlib release the interpreter's lock; processes would have to start
        # Kedro anew. New memory for each batch would cost as much as a fifth of the decoding.
        workers = self.workers or _count_cores()
        slots = np.empty((workers + 2, _BATCH, self.image_size, self.image_size, 3), np.uint8)
        files = self.files if files is None else files
        batches = (files[start : start + _BATCH] for start in range(0, len(files), _BATCH))
        with self.source.reading() as read, ThreadPoolExecutor(workers) as pool:
            tasks = zip(batches, cycle(slots))
            yield from _map_in_order(pool, lambda task: self._pack_batch(read, *task), tasks, len(slots))

    def _pack_batch(self, read: ReadFile, batch: Sequence[NamedFile], slot: np.ndarray) -> PackedBatch:
        records, decoded = [], 0
        for file in batch:
            record, pixels = self._decode_file(read, file)
            if pixels is not None:
                slot[decoded] = pixels
                decoded += 1
            records.append(record)
        return PackedBatch(records, slot[:decoded])

    def _decode_file(self, read: ReadFile, named: NamedFile) -> tuple[Record, np.ndarray | None]:
        image_id, label, file = named
        record: Record = {"image_id": image_id, "path": file.path, "label": label, "bytes": file.size}
        try:
            data = _read(read, file, self.limits.max_bytes)
            record["sha256"] = hashlib.sha256(data).hexdigest()
            record["drawn"] = is_drawn(data)
            image, record["mode"], record["warning"] = decode(data, self.limits)
            record["height"], record["width"] = image.shape[:2]
            resized = resize(image, self.image_size)
            return record | {"perceptual_hash": perceptual_hash(resized)}, resized
        except UnusableImageError as error:
            return record | {"reason": _name_fault(error.__cause__) or str(error)}, None
        except (OSError, MemoryError) as error:
            return record | {"reason": _name_fault(error)}, None


def _count_cores() -> int:
    # A container or batch system may lend fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _map_in_order(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], window: int) -> Iterator[R]:
    """Map like ``pool.map``, but with at most ``window`` results waiting to be taken."""
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _read(read: ReadFile, file: FoundFile, max_bytes: int) -> bytes:
    if file.refused:
        raise UnusableImageError(file.refused)
    if file.size > max_bytes:
        raise UnusableImageError(f"too large: {file.size:,} bytes, more than the {max_bytes:,} of ingestion.max_bytes")
    try:
        return read(file.path)
    except Exception as error:
        if describe_fault(error):
            raise
        # A damaged entry makes zipfile and its decompressors raise almost anything.
        raise UnusableImageError(f"damaged zip entry: {error}") from error


def _name_fault(error: BaseException | None) -> str | None:
    fault = describe_fault(error)
    return fault and f"{_UNREAD}: {fault}"


def is_unread(reason: Any) -> bool:
    """Tell whether a reason is a fault of disk, network or memory, which may pass, and no verdict on the file."""
    return isinstance(reason, str) and reason.startswith(_UNREAD)


def each_file(batches: Iterable[PackedBatch]) -> Iterator[tuple[Record, np.ndarray | None]]:
    """Give each file's record and its pixels, ``uint8 [size, size, 3]``, which are its own; None where it has none."""
    for batch in batches:
        images = iter(batch.pixels)
        for record in batch.records:
            yield record, None if "reason" in record else next(images).copy()


class PackedImages:
    """A packed store, opened for reading. Cheap to pickle: its folder and identity travel.

    Attributes:
        pixels: Memory-mapped ``uint8 [n, size, size, 3]``, RGB, 0-255, read only.
        records: One row a file found, decodable or not: ``image_id``, ``path``, ``label``, ``sha256``,
            ``perceptual_hash``, ``bytes``, ``width``, ``height``, ``mode``, ``drawn`` (whether it bears the mark of a
            drawn smear; null where it was not read), ``reason`` (null where it was decoded), ``warning`` (what should
            be known of it, or null) and ``row`` in ``pixels`` (null where it was not decoded).
        fingerprint: Of the plan that the store was made from.
        identity: Tells it from any other store: a plan gives others while some of its files cannot be read.
    """

    def __init__(self, folder: Path, identity: str | None = None) -> None:
        """Open a store.

        Args:
            folder: Where it is.
            identity: Of the only store that will do; None: any.

        Raises:
            InputError: There is no store in the folder, it is damaged, or it is another.
        """
        self.folder = folder
        missing = [name for name in (_STORE, _PIXELS, _RECORDS) if not (folder / name).exists()]
        if missing:
            raise DamageError(folder, f"it lacks {', '.join(missing)}")
        with telling_damage(folder / _STORE):
            self.identity = (folder / _STORE).read_text()
            facts = json.loads(self.identity)
            self.fingerprint: str = facts["fingerprint"]
            expected = (facts["files"], facts["images"], facts["images"])
        with telling_damage(folder / _PIXELS):
            self.pixels: np.ndarray = np.load(folder / _PIXELS, mmap_mode="r")
            if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8:
                raise ValueError(f"it holds {self.pixels.dtype} {self.pixels.shape}, not images")
        # Opened first: pandas would take a folder for an empty table.
        with telling_damage(folder / _RECORDS), (folder / _RECORDS).open("rb") as file:
            # A store of an earlier release has no warnings, and is still good for what was trained on it.
            self.records: pd.DataFrame = pd.read_parquet(file).reindex(columns=_SCHEMA.names)
        held = (len(self.records), int(self.records["row"].count()), len(self.pixels))
        if (folder / _STORE).read_text() != self.identity or identity not in (None, self.identity):
            raise InputError(
                f"The packed images at {folder} are no longer those that this run works with: another run has packed "
                f"others there meanwhile. Run this command again once the other has ended; runs that must work at the "
                f"same time need an environment each (--env)."
            )
        if held != expected:
            raise DamageError(folder / _STORE, f"the folder holds (files, rows, images) = {held}, expected {expected}")

    def __reduce__(self) -> tuple[type[Self], tuple[Path, str]]:
        return type(self), (self.folder, self.identity)

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def ids(self) -> np.ndarray:
        """The ``image_id`` of every row of ``pixels``."""
        # The records are in manifest order, and so are the rows.
        return self.records.loc[self.records["row"].notna(), "image_id"].to_numpy(dtype=object)

    @cached_property
    def _index(self) -> pd.Index:
        return pd.Index(self.ids)

    def rows(self, image_ids: Iterable[str]) -> np.ndarray:
        """Give the row in ``pixels`` of each image, ``int64 [n]``.

        Raises:
            InputError: An image that the store does not hold.
        """
        wanted = pd.Index(list(image_ids), dtype=self._index.dtype)
        rows = self._index.get_indexer(wanted)
        unknown = wanted[rows < 0]
        if len(unknown):
            raise InputError(
                f"The packed images at {self.folder} do not hold {len(unknown)} of the {len(wanted)} images asked for, "
                f"{unknown[0]!r} for one. Expected images that were ingested: run the pipeline ingestion again."
            )
        return rows.astype(np.int64)


def find_by_content(images: PackedImages, sha256: str) -> tuple[pd.Series, np.ndarray] | None:
    """Find an image by the hash of its file: its record, and its pixels; ``None`` where it is not packed."""
    records = images.records
    found = records[(records["sha256"] == sha256) & records["row"].notna()]
    return None if found.empty else (found.iloc[0], images.pixels[int(found["row"].iloc[0])])


def save_packed(plan: PackingPlan, folder: Path) -> str:
    """Make a store as planned, unless the one in the folder was made from the same: whole or not at all.

    What could not be read when the store was made is read again, and nothing else of it.

    Returns:
        The store's ``identity``.

    Raises:
        InputError: Not one file can be decoded, the source cannot be used, or another run packs into the folder.
    """
    current = _open_or_none(folder)
    if current is not None and current.fingerprint != plan.fingerprint:
        current = None
    again = [] if current is None else _find_unread(plan, current.records)
    if current is not None and not again:
        logger.info("%s is unchanged, not decoded again: %d images", plan.source.root, len(current))
        _warn_of_records(current.records)
        return current.identity
    written: list[str] = []
    write_folder_whole(folder, lambda new: written.append(_write(plan, new, current, again)))
    return written[0]


def _open_or_none(folder: Path) -> PackedImages | None:
    try:
        return PackedImages(folder)
    except (InputError, OSError):  # which cannot be read, and is written anew
        return None


def _find_unread(plan: PackingPlan, records: pd.DataFrame) -> list[NamedFile]:
    """Find what a store lacks because it could not be read; a change of what may not be read changes the plan."""
    unread = zip(plan.files, map(is_unread, records["reason"]), strict=True)
    return [named for named, is_missing in unread if is_missing and not named.file.refused]


def _write(plan: PackingPlan, folder: Path, current: PackedImages | None, again: list[NamedFile]) -> str:
    """Write a store, with all that another of the same plan holds already; gives its identity."""
    started = time.perf_counter()
    files = again if current else plan.files
    logger.info("Decoding %d files", len(files))
    batches = show_progress(plan.pack(files), len(files), "Decoding")
    images = _write_arrays(plan, folder, _join(current, batches, again) if current else batches)
    records = pd.read_parquet(folder / _RECORDS)
    if not images:
        often = Counter(records["reason"]).most_common(1)[0][0]
        raise InputError(
            f"None of the {len(plan.files)} files at {plan.source.root} can be decoded; most often: {often}. Expected "
            f"images such as JPEG or PNG."
        )
    unread = int(records["reason"].map(is_unread).sum())
    facts = {"fingerprint": plan.fingerprint, "files": len(plan.files), "images": images, "unread": unread}
    identity = json.dumps(facts)
    (folder / _STORE).write_text(identity)
    logger.info("Packed %d images in %.1f s", images, time.perf_counter() - started)
    _warn_of_records(records)
    return identity


def _warn_of_records(records: pd.DataFrame) -> None:
    warn_of_unread(records.loc[records["reason"].map(is_unread), ["image_id", "reason"]], len(records))


def _write_arrays(plan: PackingPlan, folder: Path, batches: Iterable[PackedBatch]) -> int:
    """Write pixels and records as they come; gives the number of images."""
    with open(folder / _PIXELS, "wb") as pixels, pq.ParquetWriter(folder / _RECORDS, _SCHEMA) as parquet:
        write_array_header(pixels, "uint8", (0, plan.image_size, plan.image_size, 3))
        _reserve(pixels, sum(not named.file.refused for named in plan.files) * plan.image_size**2 * 3)
        images, records = 0, list[Record]()
        for batch in batches:
            for record in batch.records:
                if "reason" not in record:
                    record["row"] = images
                    images += 1
            records += batch.records
            pixels.write(batch.pixels.data)
            if len(records) >= _ROW_GROUP:
                parquet.write_batch(pa.RecordBatch.from_pylist(records, schema=_SCHEMA))
                records.clear()
        parquet.write_batch(pa.RecordBatch.from_pylist(records, schema=_SCHEMA))
        pixels.truncate()
        pixels.seek(0)
        write_array_header(pixels, "uint8", (images, plan.image_size, plan.image_size, 3))
    return images


def _join(current: PackedImages, batches: Iterable[PackedBatch], again: list[NamedFile]) -> Iterator[PackedBatch]:
    """Put what was read again into its places among what a store holds, a batch at a time."""
    fresh, wanted = each_file(batches), {named.image_id for named in again}
    table = pa.Table.from_pandas(current.records, schema=_SCHEMA, preserve_index=False)
    empty = np.empty((0, *current.pixels.shape[1:]), np.uint8)
    for start in range(0, len(table), _BATCH):
        records, images = list[Record](), [empty]
        for record in table.slice(start, _BATCH).to_pylist():
            row = record.pop("row")
            kept = {name: value for name, value in record.items() if value is not None}
            now, pixels = (
                next(fresh) if record["image_id"] in wanted else (kept, None if row is None else current.pixels[row])
            )
            records.append(now)
            images += [] if pixels is None else [pixels[None]]
        yield PackedBatch(records, np.concatenate(images))


def warn_of_unread(unread: pd.DataFrame, files: int) -> None:
    """Say which files could not be read, if there are any.

    Args:
        unread: Their ``image_id`` and ``reason``.
        files: All that there are.
    """
    if len(unread):
        shown = ", ".join(f"{name} ({reason})" for name, reason in unread.head(_NAMES_SHOWN).to_numpy())
        more = f" and {len(unread) - _NAMES_SHOWN} more" if len(unread) > _NAMES_SHOWN else ""
        logger.warning(
            "%d of %d files could not be read: %s%s. They are left out for now, and the same command tries them again.",
            len(unread),
            files,
            shown,
            more,
        )


def _reserve(file: IO[bytes], more: int) -> None:
    """Ask for the room of all that may come: a full disk shows before the work, and writing costs half.

    Raises:
        InputError: There is no such room.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), file.tell(), max(1, more))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(Path(file.name).parent).free
            raise InputError(
                f"There is no room for the packed images at {file.name}: expected {more / 2**20:,.0f} MiB, and "
                f"{free / 2**20:,.0f} MiB are free. Make room, or choose a smaller ingestion.image_size."
            ) from error
        # Some file systems cannot reserve, and only that is lost.


def show_progress(batches: Iterable[PackedBatch], files: int, what: str, done: int = 0) -> Iterator[PackedBatch]:
    """Show on a terminal how many files have passed.

    Args:
        batches: What passes.
        files: All that there are.
        what: What is done with them.
        done: How many passed before.
    """
    from tqdm import tqdm

    # Without a terminal there is no bar: the log's two lines stand for it.
    with tqdm(total=files, initial=done, desc=what, unit="img", disable=None) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch.records))
