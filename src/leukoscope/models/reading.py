"""Reading any number of images: part by part, so that memory does not grow and nothing is read twice."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from leukoscope import __version__
from leukoscope.images.packing import PackingPlan, show_progress
from leukoscope.models.reader import MALIGNANT_COLUMN, SecondReader
from leukoscope.models.scoring import probability_columns
from leukoscope.models.trust import WITHHELD
from leukoscope.storage import as_read_from_json, defuse_formula, read_json, write_json, write_whole

logger = logging.getLogger(__name__)

_KEY = "reading.json"
# Part of every key: raise it whenever what stands in an opinion's row changes.
_FORMAT = 2
# Files in a part: what a killed run reads again at the most.
_PART = 512
_FACTS = ["image_id", "path", "sha256"]


@dataclass(frozen=True)
class ReadingPlan:
    """All that is needed to give an opinion on each image of a source, of which none has been read yet.

    Attributes:
        reader: Who reads.
        packing: How files become images; without labels.
    """

    reader: SecondReader
    packing: PackingPlan

    @property
    def key(self) -> dict[str, Any]:
        """What the opinions depend on."""
        own = {"images": self.packing.fingerprint, "reader": self.reader.fingerprint}
        return own | {"leukoscope": __version__, "format": _FORMAT}

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-len(self.packing.files) // _PART)

    def read(self, first: int = 0) -> Iterator[pd.DataFrame]:
        """Read all images in the order of their paths, a part at a time.

        Args:
            first: How many parts to leave out at the beginning.

        Returns:
            For each part one row a file: ``image_id, path, sha256``, ``opinion``, ``reason``,
            ``probability_malignant``, one calibrated probability column a class, ``novelty``, ``backbone``, ``model``
            and ``data`` (fingerprints). A file that cannot be read has a reason and no probabilities.
        """
        records, pixels = [], []
        done = first * _PART
        for batch in show_progress(self.packing.pack(done), len(self.packing.files), "Reading", done):
            records += batch.records
            pixels.append(batch.pixels.copy())
            if len(records) >= _PART:
                yield self._read_part(records, np.concatenate(pixels))
                records, pixels = [], []
        if records:
            yield self._read_part(records, np.concatenate(pixels))

    def _read_part(self, records: list, pixels: np.ndarray) -> pd.DataFrame:
        facts = pd.DataFrame(records).reindex(columns=[*_FACTS, "reason"]).astype("str")
        can_be_read = facts["reason"].isna()
        table = facts.assign(opinion=WITHHELD)[[*_FACTS, "opinion", "reason"]]
        table["reason"] = "unreadable: " + table["reason"]
        for name in self._figures:
            table[name] = np.nan
        if len(pixels):
            said = self.reader.read(pixels).opinions.set_index(facts.index[can_be_read])
            for name in ("opinion", "reason", *self._figures):
                table.loc[can_be_read, name] = said[name]
        origin = {"model": self.reader.classifier.fingerprint, "data": self.reader.data_fingerprint}
        return table.assign(backbone=self.reader.backbone, **origin)

    @cached_property
    def _figures(self) -> list[str]:
        columns = [MALIGNANT_COLUMN, *probability_columns(self.reader.class_names), "novelty"]
        return list(dict.fromkeys(columns))  # a class may itself be called malignant


def carry_out(plan: ReadingPlan, folder: Path) -> None:
    """Read what has not been read yet, into a folder of parts; each appears whole or not at all.

    Args:
        plan: What to read.
        folder: Where an earlier run of the same plan may have left parts; those of other plans are removed.
    """
    if read_json(folder / _KEY) != as_read_from_json(plan.key):
        _start(plan, folder)
    done = len(_list_parts(folder))
    if done:
        logger.info("%d of %d parts were read before, and are not read again", done, plan.parts)
    for number, part in enumerate(plan.read(done), start=done):
        write_whole(folder / f"part-{number:06}.parquet", part.to_parquet)


def _start(plan: ReadingPlan, folder: Path) -> None:
    (folder / _KEY).unlink(missing_ok=True)  # first, so that nothing is half there with a key
    for part in _list_parts(folder):
        part.unlink()
    write_json(folder / _KEY, plan.key)


def _list_parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def gather_parts(folder: Path, parquet: Path, csv: Path) -> None:
    """Join all parts into one Parquet and one CSV file, a part at a time, and log what came of the images."""
    parts = _list_parts(folder)
    schema = pq.read_schema(parts[0])
    counts = Counter[str]()

    def join(parquet: Path, csv: Path) -> None:
        with pq.ParquetWriter(parquet, schema) as for_programs, pa.csv.CSVWriter(csv, schema) as for_people:
            for part in parts:
                table = pq.read_table(part).cast(schema)
                counts.update(reason.partition(":")[0] for reason in table["reason"].to_pylist())
                for_programs.write_table(table)
                for_people.write_table(_defuse(table))

    write_whole(parquet, lambda one: write_whole(csv, lambda other: join(one, other)))
    given = counts.pop("", 0)
    withheld = ", ".join(f"{count} {reason}" for reason, count in counts.most_common()) or "none"
    logger.info("%d files: %d opinions; withheld: %s", given + counts.total(), given, withheld)


def _defuse(table: pa.Table) -> pa.Table:
    """Let no spreadsheet take a file's name for a formula."""
    for name in ("image_id", "path"):
        place = table.schema.get_field_index(name)
        safe = [defuse_formula(text) for text in table[name].to_pylist()]
        table = table.set_column(place, table.schema.field(name), pa.array(safe, table.schema.field(name).type))
    return table
