"""Runs of one project at the same time: what one saves, another may replace."""

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol

from leukoscope.core.errors import InputError


class OtherRunsHook:
    """Stops a run that goes on from what is no longer there.

    Data sets refuse to load anything but what they saved. Before each save all earlier ones are looked at too: results
    of two runs would lie side by side else, and a later run would take them for those of one.
    """

    def __init__(self) -> None:
        self._saved: dict[str, Any] = {}

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: CatalogProtocol) -> None:
        """Begin with nothing saved.

        Raises:
            InputError: The runner's processes would not know what the others saved.
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
        """Make sure that all that was saved before is still there.

        Raises:
            InputError: Another run has replaced or removed something.
        """
        for dataset in list(self._saved.values()):
            dataset.require_own()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Remember the data set, and make sure that what MLflow took of it just now was this run's.

        Raises:
            InputError: Another run has replaced or removed it.
        """
        dataset: Any = self._catalog.get(dataset_name)
        if hasattr(dataset, "require_own"):
            self._saved[dataset_name] = dataset
            dataset.require_own()
