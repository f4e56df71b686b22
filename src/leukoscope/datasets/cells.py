"""Data sets of cells: their images in one array, and a cache of cells found before."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from kedro.io import AbstractDataset

from leukoscope.cells.crops import CellCrops
from leukoscope.cells.strips import CellStrips
from leukoscope.core.storage import write_array_header, write_folder_whole, write_json
from leukoscope.datasets.own import OwnFile, require_there
from leukoscope.datasets.packed_images_dataset import PackedImagesDataset
from leukoscope.datasets.trained_models import MeasurementsDataset
from leukoscope.images.packed import PIXELS, RECORDS, SCHEMA, STORE

if TYPE_CHECKING:
    from leukoscope.core.cache import ContentCache


class CellImagesDataset(OwnFile, AbstractDataset[CellCrops, np.ndarray]):
    """The crops of all cells, in the order of their table: ``uint8 [cells, side, side, 3]``, RGB, on disk.

    Args:
        filepath: A ``.npy`` file.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def save(self, data: CellCrops) -> None:
        """Cut out the cells, a chunk at a time."""

        def write(path: Path) -> None:
            with path.open("wb") as file:
                write_array_header(file, "uint8", data.shape)
                for chunk in data.chunks():
                    file.write(np.ascontiguousarray(chunk).data)

        self.save_own(Path(self._filepath), write)

    def load(self) -> np.ndarray:
        """Open the array, memory-mapped and read only.

        Raises:
            InputError: The file is missing or damaged, or another run has replaced it.
        """
        with self.loading_own():
            require_there(Path(self._filepath))
            crops = np.load(Path(self._filepath), mmap_mode="r")
            if crops.ndim != 4 or crops.dtype != np.uint8:
                raise ValueError(f"it holds {crops.dtype} {crops.shape}, not images")
            return crops

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class CellStripsDataset(PackedImagesDataset):
    """The strips of cells that a model is trained on, stored in place of packed images and in their format.

    Args:
        filepath: The folder.
        metadata: Ignored here; may be used by other tools.
    """

    def save(self, data: CellStrips) -> None:  # type: ignore[override]
        """Cut out the cells, a field at a time, and write the folder atomically."""
        write_folder_whole(self._filepath, lambda folder: self._write(folder, data))

    def _write(self, folder: Path, plan: CellStrips) -> None:
        digest = hashlib.sha256()
        with (folder / PIXELS).open("wb") as file:
            write_array_header(file, "uint8", plan.shape)
            for strip in plan.strips():
                content = np.ascontiguousarray(strip).tobytes()
                digest.update(content)
                file.write(content)
        number = len(plan.records)
        records = plan.records.assign(row=range(number)).reindex(columns=SCHEMA.names)
        records.to_parquet(folder / RECORDS, index=False)
        facts = {"fingerprint": digest.hexdigest()[:16], "files": number, "images": number, "cells": plan.describe()}
        write_json(folder / STORE, facts)
        self._own = (folder / STORE).read_text()


class KnownCellsDataset(MeasurementsDataset):
    """A cache of the cells found in fields, by the fields' content; it may be deleted at any time."""

    def load(self) -> "ContentCache":  # type: ignore[override]
        """Open the cache, which may be empty."""
        from leukoscope.core.cache import ContentCache

        return ContentCache(Path(self._filepath))
