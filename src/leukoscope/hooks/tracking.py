"""The hook that tracks runs in MLflow, which is loaded only if something is tracked."""

import atexit
import logging
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from leukoscope.core.errors import InputError
from leukoscope.core.imports import when_imported
from leukoscope.core.session import remember_run
from leukoscope.core.stages import find_model, list_models
from leukoscope.datasets.optional import unwrap
from leukoscope.hooks import interruptions

if TYPE_CHECKING:
    from leukoscope.hooks.tracker import Tracker

logger = logging.getLogger(__name__)

# The entries of mlflow.yml that can be checked without MLflow.
_PLAIN = {
    "server.mlflow_tracking_uri": str,
    "tracking.disable_tracking.pipelines": list,
    "tracking.disable_tracking.disable_autologging": bool,
    "tracking.experiment.name": str,
    "tracking.experiment.create_experiment_kwargs.artifact_location": str | None,
    "tracking.run.nested": bool,
}
# Runners that run one node at a time.
_RUNNERS = ("ModelByModelRunner", "SequentialRunner")
# A runner that runs each model in its own command, which tracks itself.
_SPREADING = "DaskRunner"


class TrackingHook:
    """Passes events of a run to a tracker, unless the configuration excludes the pipeline.

    MLflow takes seconds to load, so commands that are wrong or track nothing do not load it. Other code that imports
    it finds it configured: the registry of readers, ``kedro mlflow``, a notebook.

    Attributes:
        tracker: The tracker of the current run; ``None`` if it is not tracked.
        last_runs: The ids of the MLflow runs of the last run that ended.
        last_page: The page of these runs in MLflow's UI; ``None`` if nothing was tracked.
    """

    # The name of kedro-mlflow's own hook, which is then not loaded, and MLflow with it, since the name is taken.
    __name__ = "mlflow_hook"

    def __init__(self) -> None:
        self.tracker: Tracker | None = None
        self._configured: Tracker | None = None
        self.last_runs: list[str] = []
        self.last_page: str | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read which pipelines are not tracked, and remember all parameters.

        Raises:
            InputError: MLflow's configuration is wrong.
        """
        self._context = context
        self._parameters = context.params
        self.tracker = None
        self._configured = None
        self.last_runs = []
        self.last_page = None
        settings = context.config_loader["mlflow"]
        when_imported("mlflow", self._configure)
        if _is_plain(settings):
            self._untracked = set(settings.get("tracking", {}).get("disable_tracking", {}).get("pipelines", []))
        else:
            self._untracked = set(self.require_tracker().mlflow_config.tracking.disable_tracking.pipelines)

    def require_tracker(self) -> "Tracker":
        """Return a tracker with the session's configuration, loading MLflow.

        This is not a property, since pluggy before 1.7 reads the properties of plugins that it registers.

        Raises:
            InputError: The configuration is wrong.
        """
        import mlflow  # noqa: F401 (its import configures it)

        assert self._configured is not None
        return self._configured

    def _configure(self) -> None:
        from leukoscope.hooks.tracker import Tracker

        self._configured = Tracker(self._context, self._parameters)

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol, conf_catalog: dict[str, Any]) -> None:
        """Let kedro-mlflow name its own metrics data sets, if there are any."""
        types = [entry.get("type") for entry in conf_catalog.values() if isinstance(entry, dict)]
        if any("kedro_mlflow.io.metrics" in str(name) for name in types):
            self.require_tracker().after_catalog_created(catalog, conf_catalog, {}, {}, "", {})

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Start the session's run.

        Raises:
            InputError: The runner would train several models at once, or needs a cluster but none is given; or MLflow
                cannot be used, or would put artefacts elsewhere.
        """
        models = list_models(pipeline)
        if models and _SPREADING in str(run_params["runner"]):
            self._parameters["cluster"].require_used()
            models = set()
        if models and not any(name in str(run_params["runner"]) for name in _RUNNERS):
            raise InputError(
                "Models are trained and evaluated one node after another: Keras' seed and precision, and the MLflow "
                "run, are one for the whole process, and each model uses all cores anyhow. Leave out --runner."
            )
        self._catalog = catalog
        self.tracker = None
        if self._is_tracked(run_params):
            tracker = self.require_tracker()
            tracker.start(run_params, pipeline, catalog, models)
            self.tracker = tracker
            remember_run(tracker.run_id, tracker.uri)
        # After MLflow's own handler, which would mark the runs as finished: handlers run in reverse order.
        atexit.register(self._end_killed)
        interruptions.heed()

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Make the node's run the active one."""
        if self.tracker:
            self.tracker.activate(find_model(node))

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Make the node's run the active one; parameters were logged when the run started."""
        if self.tracker:
            self.tracker.activate(find_model(node))

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Make the node's run the active one for data sets that log themselves; files are logged once saved."""
        artifact = self._find_artifact(dataset_name)
        if artifact is not None:
            artifact._logging_activated = False  # otherwise a server lost meanwhile would fail the run
        if self.tracker:
            self.tracker.activate_where_open(find_model(node))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log the file of an artefact, and data that is logged without a file."""
        if self.tracker:
            self.tracker.log_saved(dataset_name, data, find_model(node), self._find_artifact(dataset_name))
            if dataset_name.endswith("_pictures"):
                self.tracker.log_files(find_model(node), unwrap(self._catalog.get(dataset_name)).list_saved())

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Count the nodes left of a model, to determine later whether it had finished."""
        model = find_model(node)
        if self.tracker and model:
            self.tracker.count_node(model)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """End all runs."""
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End all runs: those of finished models as finished, others and the session's as failed."""
        self._end("FAILED")

    def describe_finished(self, run_ids: list[str]) -> dict[str, Any] | None:
        """List the files that MLflow stores for runs; ``None`` if a run did not finish, or does not exist."""
        return self.require_tracker().describe_finished(run_ids) if run_ids else {}

    def _is_tracked(self, run_params: dict[str, Any]) -> bool:
        names = run_params.get("pipeline_name") or run_params.get("pipeline_names") or ["__default__"]
        return not set([names] if isinstance(names, str) else names) <= self._untracked

    def _find_artifact(self, name: str) -> Any:
        """Return the data set that logs its file, unwrapped; ``None`` for any other data set."""
        inner = unwrap(self._catalog.get(name))
        return inner if hasattr(inner, "_logging_activated") else None

    def _end_killed(self) -> None:
        """Mark the runs as killed if the process ends before the pipeline does; batch systems end it by SIGTERM."""
        where = " in the same run" if self.tracker else ""
        self._end("KILLED")
        logger.warning(
            "Interrupted. The same command goes on%s: what is whole stays, and a training goes on after its last whole "
            "epoch.",
            where,
        )

    def _end(self, status: str) -> None:
        atexit.unregister(self._end_killed)
        interruptions.disregard()
        tracker = self.tracker
        self.tracker = None
        remember_run(None)
        if tracker:
            tracker.end(status)
            self.last_runs = tracker.run_ids
            self.last_page = tracker.page


def _is_plain(settings: Any, prefix: str = "") -> bool:
    """Return whether an MLflow configuration is certainly valid; all other cases are left to kedro-mlflow to check."""
    if isinstance(settings, dict):
        return all(_is_plain(value, f"{prefix}.{name}") for name, value in settings.items())
    if isinstance(settings, list) and not all(isinstance(entry, str) for entry in settings):
        return False
    return isinstance(settings, _PLAIN.get(prefix.removeprefix("."), ()))
