"""One packed array of all images that can be decoded, on disk, and the record of every file found.

A store is a folder with ``pixels.npy`` (``uint8 [n, size, size, 3]``, RGB), ``records.parquet`` (one row a file found)
and ``store.json`` (what it was made from).
"""

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa

from leukoscope.core.errors import DamageError, InputError, telling_damage
from leukoscope.images.layout import FOLDERS

# Part of every fingerprint: raise it whenever decoding or the store's layout changes.
PACKED_FORMAT = 4


PIXELS = "pixels.npy"
RECORDS = "records.parquet"
STORE = "store.json"


SCHEMA = pa.schema(
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
        layout: How the labels of its files were read off their source, as ``layout.get`` takes it.
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
        missing = [name for name in (STORE, PIXELS, RECORDS) if not (folder / name).exists()]
        if missing:
            raise DamageError(folder, f"it lacks {', '.join(missing)}")
        with telling_damage(folder / STORE):
            self.identity = (folder / STORE).read_text()
            facts = json.loads(self.identity)
            self.fingerprint: str = facts["fingerprint"]
            self.layout: str = facts.get("layout", FOLDERS)
            expected = (facts["files"], facts["images"], facts["images"])
        with telling_damage(folder / PIXELS):
            self.pixels: np.ndarray = np.load(folder / PIXELS, mmap_mode="r")
            if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8:
                raise ValueError(f"it holds {self.pixels.dtype} {self.pixels.shape}, not images")
        # Opened first: pandas would take a folder for an empty table.
        with telling_damage(folder / RECORDS), (folder / RECORDS).open("rb") as file:
            # A store of an earlier release has no warnings, and is still good for what was trained on it.
            self.records: pd.DataFrame = pd.read_parquet(file).reindex(columns=SCHEMA.names)
        actual = (len(self.records), int(self.records["row"].count()), len(self.pixels))
        if (folder / STORE).read_text() != self.identity or identity not in (None, self.identity):
            raise InputError(
                f"The packed images at {folder} are no longer those that this run works with: another run has packed "
                f"others there meanwhile. Run this command again once the other has ended; runs that must work at the "
                f"same time need an environment each (--env)."
            )
        if actual != expected:
            raise DamageError(folder / STORE, f"the folder holds (files, rows, images) = {actual}, expected {expected}")

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
    matches = records[(records["sha256"] == sha256) & records["row"].notna()]
    return None if matches.empty else (matches.iloc[0], images.pixels[int(matches["row"].iloc[0])])
