"""Read any number of images part by part, so that memory stays bounded and nothing is read twice."""

import io
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from leukoscope import __version__
from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.objects import Where
from leukoscope.core.storage import as_read_from_json, defuse_formula, read_json, write_json, write_whole
from leukoscope.images.decoding import UnusableImageError, decode
from leukoscope.images.naming import list_at
from leukoscope.images.packing_plan import PackingPlan, Record, each_file, show_progress, warn_of_unread
from leukoscope.reader.base import Reader
from leukoscope.reader.opinion_log import OpinionLog
from leukoscope.reader.part_rows import NOT_READ, tabulate_part
from leukoscope.reader.photographs import log_scales
from leukoscope.reader.watching import Watched, list_watched

logger = logging.getLogger(__name__)

_KEY = "reading.json"
_PARTS = "part-*.parquet"
# Part of every key: increase it whenever the content of an opinion's row changes.
_FORMAT = 5
# Files per part: the most that is read again after a run was killed.
_PART = 512


@dataclass(frozen=True)
class ReadingPlan:
    """The plan for reading all images of a source; creating it reads none.

    Attributes:
        reader: The reader.
        packing: How files become images; without labels.
        is_logged: Whether to log opinions for monitoring.
    """

    reader: Reader
    packing: PackingPlan
    is_logged: bool = True

    @property
    def key(self) -> dict[str, Any]:
        """What the opinions depend on."""
        facts = {"images": self.packing.fingerprint, "reader": self.reader.fingerprint}
        facts |= {"trained_on": self.reader.trained_on, "engine": self.reader.engine_title}
        return facts | {"leukoscope": __version__, "format": _FORMAT}

    @cached_property
    def key_hash(self) -> str:
        """Hash of the key, used in the file names of parts, so that parts of different plans cannot be confused."""
        return fingerprint_facts(self.key)

    @cached_property
    def parts(self) -> list[range]:
        """The positions of each part's files."""
        count = len(self.packing.files)
        return [range(first, min(first + _PART, count)) for first in range(0, count, _PART)]

    def read(self, positions: Sequence[int] | None = None) -> Iterator[pd.DataFrame]:
        """Read images in the order of their paths, a part at a time.

        Args:
            positions: Positions of the files to read, in order; None: all.

        Returns:
            For each part with such files, one row per file: ``image_id, path, sha256``, ``opinion``, ``reason``,
            ``warning`` (on the file, or null), ``scale`` (how many times as many cells fit side by side as in a
            training image), ``prediction_set``, ``probability_malignant``, one calibrated probability column per class,
            ``ood_score``, ``drawn`` (whether the image bears the mark of a drawn smear), ``trained_on`` (whether the
            reader was trained on drawn images), ``model``, ``model_fingerprint`` and ``data`` (a fingerprint), and
            ``engine`` (what predicted); for a reader with certificates also the columns of ``Certificates.tabulate``. A
            file that cannot be read has a reason and no probabilities; a photograph of many fields has the mean
            probabilities of its tiles, and no opinion. If any file can be read, there are also the columns of
            ``list_watched``.
        """
        every = self.packing.files
        positions = range(len(every)) if positions is None else positions
        batches = self.packing.pack(list_at(every, positions))
        shown = show_progress(batches, len(every), "Reading", len(every) - len(positions))
        files = zip(positions, each_file(shown), strict=True)
        for _, part in groupby(files, key=lambda file: file[0] // _PART):
            records, images = zip(*(file for _, file in part), strict=True)
            pixels = [image for image in images if image is not None]
            yield self.read_part(list(records), np.stack(pixels) if pixels else np.empty(0, np.uint8))

    def read_part(self, records: Sequence[Record], pixels: np.ndarray) -> pd.DataFrame:
        """Read decoded images; return one row per record, as ``read`` does.

        Args:
            records: Records of the files, in order.
            pixels: ``uint8 [n, size, size, 3]``, for the records without a reason.
        """
        return tabulate_part(self.reader, records, pixels, self._decode_again)

    def _decode_again(self, paths: Sequence[str]) -> Iterator[np.ndarray | str]:
        """Decode files again that were reduced to one field before: photographs, which are few."""
        with self.packing.source.reading() as read:
            for path in paths:
                try:
                    yield decode(read(path), self.packing.limits).pixels
                except (UnusableImageError, OSError) as error:  # it was readable a moment ago
                    yield str(error)


# Reads files of a plan, of each part those at some positions, into a folder; gives the rows that are not kept, if any.
Spread = Callable[[ReadingPlan, Where, Sequence[Sequence[int]]], Iterable[pd.DataFrame]]


def carry_out(plan: ReadingPlan, folder: Where, spread: Spread | None = None) -> pd.DataFrame:
    """Read what has not been read yet into a folder of parts, each written completely or not at all.

    A part holds one row per file, except for files that could not be read for now. Missing files are read, and damaged
    parts are read again completely.

    Args:
        plan: What to read.
        folder: Folder where an earlier run of the same plan may have left parts; parts of other plans are removed.
        spread: Distributes reading over workers; ``None``: this process reads.

    Returns:
        The rows of files that could not be read for now, as in ``ReadingPlan.read``: they are not stored.
    """
    if read_json(folder / _KEY) != as_read_from_json(plan.key):
        _start(plan, folder)
    there = {path.name for path in folder.glob(_PARTS)}
    missing = [positions for part in plan.parts if (positions := _find_missing(plan, folder, part, there))]
    if done := len(plan.parts) - len(missing):
        logger.info("Parts that were read before, and are not read again: %d of %d", done, len(plan.parts))
    unread = [rows for rows in (spread or _read_here)(plan, folder, missing) if len(rows)]
    rows = pd.concat(unread, ignore_index=True) if unread else pd.DataFrame(columns=["image_id", "reason"])
    warn_of_unread(rows[["image_id", "reason"]], len(plan.packing.files))
    return rows


def _read_here(plan: ReadingPlan, folder: Where, missing: Sequence[Sequence[int]]) -> Iterator[pd.DataFrame]:
    tables = plan.read([position for positions in missing for position in positions])
    for positions, table in zip(missing, tables, strict=True):
        yield keep_rows(name_part(plan, folder, positions[0]), table)


def _start(plan: ReadingPlan, folder: Where) -> None:
    (folder / _KEY).unlink(missing_ok=True)  # first, so that a half-emptied folder has no key
    for part in folder.glob(_PARTS):
        part.unlink()
    write_json(folder / _KEY, plan.key)


def name_part(plan: ReadingPlan, folder: Where, position: int) -> Where:
    """Return the path of a file's part, named by the positions of its files and a hash of the plan's key."""
    part = plan.parts[position // _PART]
    return folder / f"part-{part.start:07}-{part.stop - 1:07}-{plan.key_hash}.parquet"


def _find_missing(plan: ReadingPlan, folder: Where, part: range, there: Collection[str]) -> Sequence[int]:
    """Find the positions of a part's files that have no row yet; all, if the part is damaged."""
    path = name_part(plan, folder, part.start)
    if path.name not in there:
        return part
    ids = [named.image_id for named in plan.packing.files[part.start : part.stop]]
    try:
        done = find_done(path, ids)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        logger.warning("%s is damaged: %s. Read again: %s", path, error, count_of(len(part), "file"))
        path.unlink(missing_ok=True)
        return part
    return [position for position, image_id in zip(part, ids, strict=True) if image_id not in done]


def find_done(path: Where, ids: Sequence[str]) -> set[str]:
    """Find which files of a part have a row.

    Args:
        path: The existing part.
        ids: Ids of all its files.

    Raises:
        OSError, ValueError, KeyError, pa.ArrowException: The part is damaged.
    """
    known = _load(path)["image_id"]
    if not known.is_unique or not known.isin(ids).all():
        raise ValueError("it has rows of other files")
    return set(known)


def _load(path: Where) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(path.read_bytes()), page_checksum_verification=True)


def _load_kept(path: Where) -> list[pd.DataFrame]:
    """Load the rows of a part, if it exists; checking for existence first would be another request."""
    try:
        return [_load(path)]
    except FileNotFoundError:
        return []


def keep_rows(path: Where, table: pd.DataFrame) -> pd.DataFrame:
    """Add rows to their part, without those of files that could not be read; return the latter."""
    unread = table["reason"].str.startswith(NOT_READ)
    read = table[~unread]
    if len(read):
        # Another worker, presumed dead, may have stored the same rows meanwhile.
        earlier = [rows[~rows["image_id"].isin(read["image_id"])] for rows in _load_kept(path)]
        rows = pd.concat([*earlier, read], ignore_index=True)
        write_whole(path, lambda new: rows.to_parquet(new, write_page_checksum=True))
    return table[unread]


def gather_parts(plan: ReadingPlan, unread: pd.DataFrame, folder: Where, parquet: Path, csv: Path) -> None:
    """Join all parts into one Parquet and one CSV file, part by part, and log a summary of the results.

    Args:
        plan: What was read.
        unread: The rows returned by ``carry_out``.
        folder: Folder of the parts.
        parquet: The file for programs.
        csv: The file for people.

    Raises:
        InputError: A file of the plan has no row, or more than one.
    """
    counts = Counter[str]()
    warnings = Counter[str | None]()
    schema = pa.Schema.from_pandas(_list_rows(plan, unread, folder, plan.parts[0]), preserve_index=False)

    def join(parquet: Path, csv: Path) -> None:
        with pq.ParquetWriter(parquet, schema) as for_programs, pa.csv.CSVWriter(csv, schema) as for_people:
            for part in plan.parts:
                table = pa.Table.from_pandas(_list_rows(plan, unread, folder, part), schema, preserve_index=False)
                counts.update(reason.partition(":")[0] for reason in table["reason"].to_pylist())
                warnings.update(table["warning"].to_pylist())
                for_programs.write_table(table)
                for_people.write_table(_defuse(table))

    write_whole(parquet, lambda parquet_file: write_whole(csv, lambda csv_file: join(parquet_file, csv_file)))
    opinion_count = counts.pop("", 0)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common()) or "none"
    files = count_of(opinion_count + counts.total(), "file")
    opinions = count_of(opinion_count, "opinion")
    logger.info("%s: %s; abstained: %s", files, opinions, reasons)
    log_scales(warnings, are_tiled=True)


def log_opinions(plan: ReadingPlan, folder: Where, log: OpinionLog) -> None:
    """Add the opinions of all parts to the monitoring log; opinions that it already has stay unchanged.

    Raises:
        InputError: The opinions cannot be added.
    """
    watched = Watched(plan.reader, (named.file.path for named in plan.packing.files))
    paths = (name_part(plan, folder, part.start) for part in plan.parts)
    added = sum(log.append(watched.tabulate(rows)) for path in paths for rows in _load_kept(path))
    logger.info("%s new in the log for monitoring, %s", count_of(added, "opinion is", "opinions are"), log.path)


def _list_rows(plan: ReadingPlan, unread: pd.DataFrame, folder: Where, part: range) -> pd.DataFrame:
    """Return the rows of a part in the order of its files, one per file."""
    path = name_part(plan, folder, part.start)
    ids = pd.Index([named.image_id for named in plan.packing.files[part.start : part.stop]])
    lacking = unread[unread["image_id"].isin(ids)]
    rows = pd.concat([*_load_kept(path), *([lacking] if len(lacking) else [])])
    if sorted(rows["image_id"]) != sorted(ids):
        raise InputError(
            f"{path} holds {len(rows)} rows for {len(ids)} files: something has changed it since it was written. Run "
            f"the same command again, which reads what is missing."
        )
    return rows.set_index("image_id").loc[ids].reset_index().drop(columns=list_watched(rows.columns))


def _defuse(table: pa.Table) -> pa.Table:
    """Escape file names that a spreadsheet would take for a formula."""
    for name in ("image_id", "path"):
        place = table.schema.get_field_index(name)
        safe = [defuse_formula(text) for text in table[name].to_pylist()]
        table = table.set_column(place, table.schema.field(name), pa.array(safe, table.schema.field(name).type))
    return table
