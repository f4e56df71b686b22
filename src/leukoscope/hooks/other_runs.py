"""Concurrent runs in one project, which may replace each other's files."""

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol

from leukoscope.core.errors import InputError


class OtherRunsHook:
    """Stops a run whose earlier results have been replaced.

    Data sets refuse to load anything but what they saved. Before each save, all earlier data sets are checked too;
    otherwise results of two runs would be mixed, and a later run would take them for results of a single one.
    """

    def __init__(self) -> None:
        self._saved: dict[str, Any] = {}

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: CatalogProtocol) -> None:
        """Begin with no saved data sets.

        Raises:
            InputError: The runner uses several processes, which would not know what the others saved.
        """
        if "ParallelRunner" in str(run_params["runner"]):
            raise InputError(
                "ParallelRunner cannot run this project: its processes do not know of each other's results. Leave out "
                "--runner, or use ThreadRunner; what takes long uses all cores anyhow."
            )
        self._catalog = catalog
        self._saved = {}

    @hook_impl
    def before_dataset_saved(self) -> None:
        """Check that everything saved before is still there.

        Raises:
            InputError: Another run has replaced or removed a data set.
        """
        for dataset in list(self._saved.values()):
            dataset.require_own()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Remember the data set, and check that what MLflow has just logged of it was this run's.

        Raises:
            InputError: Another run has replaced or removed the data set.
        """
        dataset: Any = self._catalog.get(dataset_name)
        if hasattr(dataset, "require_own"):
            self._saved[dataset_name] = dataset
            dataset.require_own()
