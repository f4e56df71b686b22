"""Kedro's partitioned data set, restricted to load what it saved."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets import partitions

from leukoscope.core.storage import UNFINISHED, hold
from leukoscope.datasets.own import OwnContent


class PartitionedDataset(partitions.PartitionedDataset):
    """``partitions.PartitionedDataset`` of local files, ignoring unfinished files left by killed runs.

    Loads an empty dictionary if there are no partitions, since whatever needs one knows what is missing. A partition
    saved by this data set is loaded as it was saved, or refused.
    """

    def __init__(self, **options: Any) -> None:
        """Creates a new instance; see ``kedro_datasets.partitions.PartitionedDataset``."""
        super().__init__(**options)
        self._saved: dict[str, Any] = {}

    def save(self, data: dict[str, Any]) -> None:
        """Write the partitions, evaluating each lazily; a partition that is ``None`` is removed.

        Raises:
            InputError: All earlier partitions are to be replaced, and another run is doing so.
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
        """Return a load function for each partition."""
        self.require_own()
        self._invalidate_caches()
        partitions = super().load() if self._exists() else {}
        return partitions | {name: dataset.load for name, dataset in self._saved.items()}

    def list_saved(self) -> list[Path]:
        """List the files that this data set saved, sorted by partition name."""
        return [Path(self._partition_to_path(name)) for name in sorted(self._saved)]

    def require_own(self) -> None:
        """Check that the partitions saved by this data set are still there.

        Raises:
            InputError: Another run has replaced or removed a partition.
        """
        for dataset in self._saved.values():
            if isinstance(dataset, OwnContent):
                dataset.require_own()

    def _list_partitions(self) -> list[str]:
        return [path for path in super()._list_partitions() if not PurePosixPath(path).name.startswith(UNFINISHED)]
