"""Data sets of cells: their pictures in one array, and what was found before."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from kedro.io import AbstractDataset

from leukoscope.cells.crops import CellCrops
from leukoscope.core.storage import write_array_header
from leukoscope.datasets.own import OwnFile, require_there
from leukoscope.datasets.trained_models import MeasurementsDataset

if TYPE_CHECKING:
    from leukoscope.core.cache import ContentCache


class CellImagesDataset(OwnFile, AbstractDataset[CellCrops, np.ndarray]):
    """The crops of all cells, in the order of their table: ``uint8 [cells, side, side, 3]``, RGB, on disk.

    Args:
        filepath: A ``.npy`` file.
        metadata: For other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def save(self, data: CellCrops) -> None:
        """Cut the cells out, some at a time."""

        def write(path: Path) -> None:
            with path.open("wb") as file:
                write_array_header(file, "uint8", data.shape)
                for chunk in data.chunks():
                    file.write(np.ascontiguousarray(chunk).data)

        self.save_own(Path(self._filepath), write)

    def load(self) -> np.ndarray:
        """Open the array, memory-mapped and read only.

        Raises:
            InputError: There is none, it is damaged, or it is not the one that this run saved.
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


class KnownCellsDataset(MeasurementsDataset):
    """Where cells were found before, by the content of fields: a cache, which may be removed at any time."""

    def load(self) -> "ContentCache":  # type: ignore[override]
        """Open the cache, which may be empty."""
        from leukoscope.core.cache import ContentCache

        return ContentCache(Path(self._filepath))
