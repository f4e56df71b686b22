"""A packed array on disk of all decodable images, with a record of every file found.

A store is a folder with ``pixels.npy`` (``uint8 [n, size, size, 3]``, RGB), ``records.parquet`` (one row per file
found) and ``store.json`` (what it was made from).
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
    """A packed store, opened for reading. Cheap to pickle: only its folder and identity are sent.

    Attributes:
        pixels: Memory-mapped ``uint8 [n, size, size, 3]``, RGB, 0-255, read only.
        records: One row per file found, decodable or not: ``image_id``, ``path``, ``label``, ``sha256``,
            ``perceptual_hash``, ``bytes``, ``width``, ``height``, ``mode``, ``drawn`` (whether it bears the mark of a
            drawn smear; null if it was not read), ``reason`` (null if it was decoded), ``warning`` (a concern about
            the file, or null) and ``row`` in ``pixels`` (null if it was not decoded).
        fingerprint: Fingerprint of the plan that the store was made from.
        identity: Identifies the store: one plan can yield different stores while some files cannot be read.
        layout: Name of the layout (see ``layout.get``) by which the files were labelled.
    """

    def __init__(self, folder: Path, identity: str | None = None) -> None:
        """Open a store.

        Args:
            folder: Folder of the store.
            identity: Identity that the store must have; None: any.

        Raises:
            InputError: The folder holds no store, or the store is damaged or has another identity.
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
        # Opened explicitly, since pandas would read a folder as an empty table.
        with telling_damage(folder / RECORDS), (folder / RECORDS).open("rb") as file:
            # A store from an earlier release has no warnings, but remains valid for models trained on it.
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
        # Both records and rows are in manifest order.
        return self.records.loc[self.records["row"].notna(), "image_id"].to_numpy(dtype=object)

    @cached_property
    def _index(self) -> pd.Index:
        return pd.Index(self.ids)

    def rows(self, image_ids: Iterable[str]) -> np.ndarray:
        """Return the row in ``pixels`` of each image, ``int64 [n]``.

        Raises:
            InputError: The store does not hold one of the images.
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
    """Find the record and the pixels of an image by the hash of its file; ``None`` if it is not packed."""
    records = images.records
    matches = records[(records["sha256"] == sha256) & records["row"].notna()]
    return None if matches.empty else (matches.iloc[0], images.pixels[int(matches["row"].iloc[0])])
