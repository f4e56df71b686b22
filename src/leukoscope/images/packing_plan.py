"""Plan which files to decode, and decode them one by one, on all cores, in order."""

import hashlib
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pandas as pd

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.cores import count_cores
from leukoscope.core.counts import count_of
from leukoscope.core.drawn import is_drawn
from leukoscope.core.storage import describe_fault
from leukoscope.images import layout as layouts
from leukoscope.images.class_folders import name_files
from leukoscope.images.decoding import Limits, UnusableImageError, decode, perceptual_hash, resize
from leukoscope.images.files import FoundFile, ImageSource, ReadFile
from leukoscope.images.naming import NamedFile, tabulate_each, write_named
from leukoscope.images.packed import PACKED_FORMAT, SCHEMA

logger = logging.getLogger(__name__)

BATCH = 16


# Prefix of the reason of a file that could not be read, whatever its content, or of a folder that could not be listed.
_UNREAD = "unreadable"


_NAMES_SHOWN = 5


T = TypeVar("T")


R = TypeVar("R")


Record = dict[str, str | int | float | None]


class KnownScale(Protocol):
    """Estimates the scale at which an image shows its cells."""

    def describe(self) -> dict[str, float]:
        """Return the values that the estimate depends on."""
        ...

    def compare(self, image: np.ndarray) -> float | None:
        """Estimate the scale of an image, ``uint8 [height, width, 3]``; ``None`` if it cannot be determined."""
        ...


class PackedBatch(NamedTuple):
    """The result of decoding some files.

    Attributes:
        records: One record per file, with a reason if it could not be decoded.
        pixels: ``uint8 [decoded, size, size, 3]``.
    """

    records: list[Record]
    pixels: np.ndarray


@dataclass(frozen=True)
class PackingPlan:
    """Everything needed to pack a source's images, before any of them is read.

    Attributes:
        source: The source of the images.
        class_names: Names of the class folders; None: images without labels, in any folders.
        image_size: Side of the packed images in pixels.
        limits: Limits that a file must meet.
        workers: Number of decoding threads, or None for one per core.
        cluster: The cluster whose workers decode instead of this process, if any.
        layout: Name of the layout by which files are labelled (see ``layout.get``).
        scale: Estimates the ``scale`` of each image, if it is to be recorded.
    """

    source: ImageSource
    class_names: tuple[str, ...] | None
    image_size: int
    limits: Limits
    workers: int | None = None
    cluster: ClusterOptions | None = None
    layout: str = layouts.FOLDERS
    scale: KnownScale | None = None

    @cached_property
    def files(self) -> Sequence[NamedFile]:
        """The files to pack, in manifest order.

        Raises:
            InputError: The source has no class folders, several sets of them, an empty one, or no files at all.
        """
        if self.class_names is None:
            return name_files(self.source)
        return layouts.get(self.layout).label_files(self.source, self.class_names)

    @property
    def settings(self) -> list[Any]:
        """Everything that the result of decoding a file depends on, except the file itself."""
        settings = [PACKED_FORMAT, SCHEMA.names, self.class_names, self.image_size, self.limits]
        # Keep the fingerprints of stores from before layouts existed.
        settings += [] if self.layout == layouts.FOLDERS else [self.layout]
        return settings if self.scale is None else [*settings, self.scale.describe()]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that the packed store depends on, computed without reading an image."""
        digest = hashlib.sha256(json.dumps(self.settings).encode())
        for table in tabulate_each(self.files):
            digest.update(write_named(table).encode())
        return digest.hexdigest()

    def pack(self, files: Sequence[NamedFile] | None = None) -> Iterator[PackedBatch]:
        """Read, decode and resize every file once, with all workers; yield batches in manifest order.

        Only as many batches are in memory as keep the workers busy, however many images there are. A batch's pixels
        are overwritten when the next batch is requested.

        Args:
            files: The plan's files to pack, in their order; None: all.
        """
        # Use threads, since Pillow, simplejpeg and hashlib release the GIL and processes would each start Kedro anew.
        # Reuse memory, since allocating it for each batch would take a fifth of the decoding time.
        workers = self.workers or count_cores()
        slots = np.empty((workers + 2, BATCH, self.image_size, self.image_size, 3), np.uint8)
        files = self.files if files is None else files
        batches = (files[start : start + BATCH] for start in range(0, len(files), BATCH))
        with self.source.reading() as read, ThreadPoolExecutor(workers) as pool:
            tasks = zip(batches, cycle(slots))
            yield from _map_in_order(pool, lambda task: self._pack_batch(read, *task), tasks, len(slots))

    def _pack_batch(self, read: ReadFile, batch: Sequence[NamedFile], slot: np.ndarray) -> PackedBatch:
        records = []
        decoded = 0
        for file in batch:
            record, pixels = self._decode_file(read, file)
            if pixels is not None:
                slot[decoded] = pixels
                decoded += 1
            records.append(record)
        return PackedBatch(records, slot[:decoded])

    def _decode_file(self, read: ReadFile, named: NamedFile) -> tuple[Record, np.ndarray | None]:
        record = _describe(named)
        try:
            data = _read(read, named.file, self.limits.max_bytes)
            record["sha256"] = hashlib.sha256(data).hexdigest()
            record["drawn"] = is_drawn(data)
            image, record["mode"], record["warning"] = decode(data, self.limits)
            record["height"], record["width"] = image.shape[:2]
            if self.scale is not None:
                record["scale"] = self.scale.compare(image)
            resized = resize(image, self.image_size)
            return record | {"perceptual_hash": perceptual_hash(resized)}, resized
        except UnusableImageError as error:
            return record | {"reason": _name_fault(error.__cause__) or str(error)}, None
        except (OSError, MemoryError) as error:
            return record | {"reason": _name_fault(error)}, None


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
    except UnusableImageError:
        raise
    except Exception as error:
        if describe_fault(error):
            raise
        # On a damaged entry, zipfile and its decompressors may raise almost anything.
        raise UnusableImageError(f"damaged zip entry: {error}") from error


def _name_fault(error: BaseException | None) -> str | None:
    fault = describe_fault(error)
    return fault and f"{_UNREAD}: {fault}"


def refuse_all(files: Iterable[NamedFile], fault: str) -> list[Record]:
    """Make a record for each file that could not be read because of a fault.

    Args:
        files: The files.
        fault: Description of the fault; a refused file keeps its own reason.
    """
    return [_describe(named) | {"reason": named.file.refused or f"{_UNREAD}: {fault}"} for named in files]


def _describe(named: NamedFile) -> Record:
    image_id, label, file = named
    return {"image_id": image_id, "path": file.path, "label": label, "bytes": file.size}


def is_unread(reason: Any) -> bool:
    """Check whether a reason is a fault of disk, network or memory, which may pass, rather than a fault of the file."""
    return isinstance(reason, str) and reason.startswith(_UNREAD)


def each_file(batches: Iterable[PackedBatch]) -> Iterator[tuple[Record, np.ndarray | None]]:
    """Yield each file's record and a copy of its pixels, ``uint8 [size, size, 3]``, or None if it has none."""
    for batch in batches:
        images = iter(batch.pixels)
        for record in batch.records:
            yield record, None if "reason" in record else next(images).copy()


def warn_of_unread(unread: pd.DataFrame, files: int) -> None:
    """Warn of the files that could not be read, if any.

    Args:
        unread: ``image_id`` and ``reason`` of these files.
        files: Total number of files.
    """
    if len(unread):
        shown = ", ".join(f"{name} ({reason})" for name, reason in unread.head(_NAMES_SHOWN).to_numpy())
        more = f" and {len(unread) - _NAMES_SHOWN} more" if len(unread) > _NAMES_SHOWN else ""
        logger.warning(
            "%d of %s could not be read: %s%s. They are left out for now, and the same command tries them again.",
            len(unread),
            count_of(files, "file"),
            shown,
            more,
        )


def show_progress(batches: Iterable[PackedBatch], files: int, what: str, done: int = 0) -> Iterator[PackedBatch]:
    """Show a progress bar on the terminal while passing batches through.

    Args:
        batches: The batches to pass through.
        files: Total number of files.
        what: Name of the operation.
        done: Number of files done before.
    """
    from tqdm import tqdm

    # Without a terminal there is no bar; two log lines replace it.
    with tqdm(total=files, initial=done, desc=what, unit="img", disable=None) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch.records))
