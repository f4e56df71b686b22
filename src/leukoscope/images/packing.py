"""Write a packed store atomically."""

import errno
import json
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.core.storage import write_array_header, write_folder_whole
from leukoscope.images.layout import FOLDERS
from leukoscope.images.naming import NamedFile, tabulate_each
from leukoscope.images.packed import PIXELS, RECORDS, SCHEMA, STORE, PackedImages
from leukoscope.images.packing_plan import (
    BATCH,
    PackedBatch,
    PackingPlan,
    Record,
    each_file,
    is_unread,
    show_progress,
    warn_of_unread,
)

logger = logging.getLogger(__name__)

# Rows per Parquet row group: each group costs time, and memory until the file is closed.
_ROW_GROUP = 512


# Decodes some of a plan's files and yields batches in the order of the files, like ``PackingPlan.pack``.
Pack = Callable[[PackingPlan, Sequence[NamedFile]], Iterable[PackedBatch]]


def save_packed(plan: PackingPlan, folder: Path, pack: Pack | None = None) -> str:
    """Write the planned store atomically, unless the folder already holds a store made from the same plan.

    Of an existing store, only files that could not be read before are read again.

    Args:
        plan: What to pack.
        folder: Folder of the store.
        pack: Decodes elsewhere; ``None``: decode in this process.

    Returns:
        The store's ``identity``.

    Raises:
        InputError: No file can be decoded, the source is unusable, or another run is packing into the folder.
    """
    current = _open_or_none(folder)
    if current is not None and current.fingerprint != plan.fingerprint:
        current = None
    again = [] if current is None else _find_unread(plan, current.records)
    if current is not None and not again:
        logger.info("%s is unchanged, not decoded again: %s", plan.source.root, count_of(len(current), "image"))
        _warn_of_records(current.records)
        return current.identity
    written: list[str] = []
    by = pack or PackingPlan.pack
    write_folder_whole(folder, lambda new: written.append(_write(plan, new, by, current, again)))
    return written[0]


def _open_or_none(folder: Path) -> PackedImages | None:
    try:
        return PackedImages(folder)
    except (InputError, OSError):  # unreadable, so it is written anew
        return None


def _find_unread(plan: PackingPlan, records: pd.DataFrame) -> list[NamedFile]:
    """Find the files that a store lacks because they could not be read. Refused files are part of the plan itself."""
    unread = zip(plan.files, map(is_unread, records["reason"]), strict=True)
    return [named for named, is_missing in unread if is_missing and not named.file.refused]


def _write(plan: PackingPlan, folder: Path, pack: Pack, current: PackedImages | None, again: list[NamedFile]) -> str:
    """Write a store, reusing the images of a current store of the same plan; return its identity."""
    started = time.perf_counter()
    files = again if current else plan.files
    logger.info("Decoding %s", count_of(len(files), "file"))
    batches = pack(plan, files)
    if pack is PackingPlan.pack:
        batches = show_progress(batches, len(files), "Decoding")
    images = _write_arrays(plan, folder, _join(current, batches, again) if current else batches)
    records = pd.read_parquet(folder / RECORDS, columns=["image_id", "reason"])
    if not images:
        often = Counter(records["reason"]).most_common(1)[0][0]
        raise InputError(
            f"No file at {plan.source.root} can be decoded, of {len(plan.files)}; most often: {often}. "
            f"Expected images such as JPEG or PNG."
        )
    unread = int(records["reason"].map(is_unread).sum())
    facts = {"fingerprint": plan.fingerprint, "files": len(plan.files), "images": images, "unread": unread}
    facts |= {} if plan.layout == FOLDERS else {"layout": plan.layout}
    identity = json.dumps(facts)
    (folder / STORE).write_text(identity)
    logger.info("Packed %s in %.1f s", count_of(images, "image"), time.perf_counter() - started)
    _warn_of_records(records)
    return identity


def _warn_of_records(records: pd.DataFrame) -> None:
    warn_of_unread(records.loc[records["reason"].map(is_unread), ["image_id", "reason"]], len(records))


def _write_arrays(plan: PackingPlan, folder: Path, batches: Iterable[PackedBatch]) -> int:
    """Write pixels and records as they arrive; return the number of images."""
    with open(folder / PIXELS, "wb") as pixels, pq.ParquetWriter(folder / RECORDS, SCHEMA) as parquet:
        write_array_header(pixels, "uint8", (0, plan.image_size, plan.image_size, 3))
        readable = sum(table["refused"].null_count for table in tabulate_each(plan.files))
        _reserve(pixels, readable * plan.image_size**2 * 3)
        images = 0
        records = list[Record]()
        for batch in batches:
            for record in batch.records:
                if "reason" not in record:
                    record["row"] = images
                    images += 1
            records += batch.records
            pixels.write(batch.pixels.data)
            if len(records) >= _ROW_GROUP:
                parquet.write_batch(pa.RecordBatch.from_pylist(records, schema=SCHEMA))
                records.clear()
        parquet.write_batch(pa.RecordBatch.from_pylist(records, schema=SCHEMA))
        pixels.truncate()
        pixels.seek(0)
        write_array_header(pixels, "uint8", (images, plan.image_size, plan.image_size, 3))
    return images


def _join(current: PackedImages, batches: Iterable[PackedBatch], again: list[NamedFile]) -> Iterator[PackedBatch]:
    """Merge newly read files into their places among the current store's, a batch at a time."""
    fresh = each_file(batches)
    wanted = {named.image_id for named in again}
    table = pa.Table.from_pandas(current.records, schema=SCHEMA, preserve_index=False)
    empty = np.empty((0, *current.pixels.shape[1:]), np.uint8)
    for start in range(0, len(table), BATCH):
        records = list[Record]()
        images = [empty]
        for record in table.slice(start, BATCH).to_pylist():
            row = record.pop("row")
            kept = {name: value for name, value in record.items() if value is not None}
            now, pixels = (
                next(fresh) if record["image_id"] in wanted else (kept, None if row is None else current.pixels[row])
            )
            records.append(now)
            images += [] if pixels is None else [pixels[None]]
        yield PackedBatch(records, np.concatenate(images))


def _reserve(file: IO[bytes], more: int) -> None:
    """Reserve disk space for everything to be written: a full disk is noticed early, and writing takes half the time.

    Raises:
        InputError: There is not enough space.
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
        # Some file systems cannot reserve space, which does no harm.
