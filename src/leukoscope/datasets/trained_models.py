"""Data sets of what many models have: their classifiers, and what was measured of fields for some of them."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from leukoscope.datasets.training import ClassifierDataset
from leukoscope.models.base import NETWORK, Classifier

if TYPE_CHECKING:
    from leukoscope.features.measuring import MeasurementStore


class TrainedModelsDataset(AbstractDataset[None, dict[str, Callable[[], Classifier]]]):
    """The classifiers of all models that were trained, each loaded when it is asked for.

    Args:
        path: The folder that has a folder for each model.
        measurements: Where is kept what was measured of fields, for kinds that measure.
        cells: Where is kept which cells were found in fields, for kinds that read these.
        metadata: For other tools.
    """

    def __init__(
        self,
        *,
        path: str,
        measurements: str | None = None,
        cells: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = path
        self._measurements = measurements
        self._cells = cells
        self.metadata = metadata

    def load(self) -> dict[str, Callable[[], Classifier]]:
        """Give what loads each classifier, by its model's name."""
        return {name: dataset.load for name, dataset in self._list().items()}

    def save(self, data: None) -> None:
        """Refuse: each model saves its own."""
        raise DatasetError("Each model saves its own classifier.")

    def list_files(self) -> list[Path]:
        """List the files of all classifiers."""
        return [file for dataset in self._list().values() for file in dataset.list_files()]

    def _list(self) -> dict[str, ClassifierDataset]:
        homes = sorted(path for path in Path(self._path).glob("*") if path.is_dir())
        datasets = {home.name: self._open(home) for home in homes}
        return {name: dataset for name, dataset in datasets.items() if dataset.exists()}

    def _open(self, home: Path) -> ClassifierDataset:
        file = (home / NETWORK).as_posix()
        return ClassifierDataset(filepath=file, measurements=self._measurements, cells=self._cells, lazily=True)

    def _exists(self) -> bool:
        return bool(self._list())

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}


class MeasurementsDataset(AbstractDataset[None, "MeasurementStore"]):
    """What was measured of fields, by their content: a cache, which may be removed at any time.

    Args:
        filepath: The file.
        metadata: For other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def load(self) -> "MeasurementStore":
        """Open the store, which may be empty."""
        from leukoscope.features.measuring import MeasurementStore

        return MeasurementStore(Path(self._filepath))

    def save(self, data: None) -> None:
        """Refuse: what measures keeps what it measured."""
        raise DatasetError("What measures fields keeps what it measured.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
