"""Kedro's data set of partitions, which loads what it saved."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets import partitions

from leukoscope.core.storage import UNFINISHED, hold
from leukoscope.datasets.own import OwnContent


class PartitionedDataset(partitions.PartitionedDataset):
    """``partitions.PartitionedDataset`` of local files, without those that killed runs left unfinished.

    Where there are none it loads as no partitions: whoever needs one knows what is missing. A partition that this data
    set saved is loaded as it was saved, or refused.
    """

    def __init__(self, **options: Any) -> None:
        """Creates a new instance; see ``kedro_datasets.partitions.PartitionedDataset``."""
        super().__init__(**options)
        self._saved: dict[str, Any] = {}

    def save(self, data: dict[str, Any]) -> None:
        """Write the partitions, each loaded lazily; one that is ``None`` is removed.

        Raises:
            InputError: All earlier ones are to be replaced, and another run does that.
        """
        with hold(Path(self._path)) if self._overwrite else nullcontext():
            if self._overwrite:
                super().save({})
                self._saved.clear()
            for name, content in sorted(data.items()):
                dataset = self._dataset_type(
                    **self._dataset_config | {self._filepath_arg: self._partition_to_path(name)}
                )
                if content is None:
                    Path(self._partition_to_path(name)).unlink(missing_ok=True)
                    self._saved.pop(name, None)
                    continue
                dataset.save(content() if callable(content) and self._save_lazily else content)
                self._saved[name] = dataset
        self._invalidate_caches()

    def load(self) -> dict[str, Callable[[], Any]]:
        """Give for each partition what loads it."""
        self.require_own()
        self._invalidate_caches()
        partitions = super().load() if self._exists() else {}
        return partitions | {name: dataset.load for name, dataset in self._saved.items()}

    def list_saved(self) -> list[Path]:
        """List the files that this data set saved, by their names."""
        return [Path(self._partition_to_path(name)) for name in sorted(self._saved)]

    def require_own(self) -> None:
        """Make sure that the partitions which this data set saved are still there.

        Raises:
            InputError: Another run has replaced or removed one.
        """
        for dataset in self._saved.values():
            if isinstance(dataset, OwnContent):
                dataset.require_own()

    def _list_partitions(self) -> list[str]:
        return [path for path in super()._list_partitions() if not PurePosixPath(path).name.startswith(UNFINISHED)]
