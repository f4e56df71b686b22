"""Data sets shared by many models: their classifiers, and the measurements of fields that some of them use."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from leukoscope.datasets.training import ClassifierDataset
from leukoscope.models.base import NETWORK, Classifier

if TYPE_CHECKING:
    from leukoscope.features.measuring import MeasurementStore


class TrainedModelsDataset(AbstractDataset[None, dict[str, Callable[[], Classifier]]]):
    """The classifiers of all trained models, each loaded lazily.

    Args:
        path: The folder that has a folder for each model.
        measurements: File of the measurements of fields, for kinds of models that use them.
        cells: File of the cells found in fields, for kinds of models that use them.
        metadata: Ignored here; may be used by other tools.
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
        """Return a load function for each classifier, by its model's name."""
        return {name: dataset.load for name, dataset in self._list().items()}

    def save(self, data: None) -> None:
        """Raise an error, since each model saves its own classifier."""
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
    """A cache of measurements of fields, by the fields' content; it may be deleted at any time.

    Args:
        filepath: The file.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def load(self) -> "MeasurementStore":
        """Open the store, which may be empty."""
        from leukoscope.features.measuring import MeasurementStore

        return MeasurementStore(Path(self._filepath))

    def save(self, data: None) -> None:
        """Raise an error, since measurements are stored by the code that measures."""
        raise DatasetError("What measures fields keeps what it measured.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
