"""Tracking by MLflow, with a run for each model, whatever else runs in the session."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
from filelock import Timeout
from kedro.framework.context import KedroContext
from kedro.io import CatalogProtocol, DatasetError
from kedro.pipeline import Pipeline
from kedro_mlflow.config.kedro_mlflow_config import KedroMlflowConfig, _validate_uri
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT
from pydantic import ValidationError
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.options import describe_faults
from leukoscope.core.software import find_git_commit
from leukoscope.core.stages import find_model
from leukoscope.hooks import kept, runs, server
from leukoscope.hooks.in_force import fingerprint_session
from leukoscope.hooks.outbox import Outbox, first_line
from leukoscope.hooks.views import describe_experiment
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.relocation import DATABASE, require_place
from leukoscope.reporting import tracked
from leukoscope.training.journal import EPOCHS

logger = logging.getLogger(__name__)

# Values that become tags in data sets that otherwise hold metrics.
_TAGS = {"promotion": ("candidate", "champion", "why"), "training_summary": ("device", "backend", "precision")}


class Tracker(MlflowHook):
    """Gives each model its own run, with the same plain names in each.

    A session with several models has its own run too, with the models' runs as children; with a single model, the
    session's run is the model's. Epochs arrive as records of the logger ``leukoscope.epochs``. An interrupted session
    that is started again by the same command continues in the same runs.

    MLflow is not contacted until a pipeline starts. If it does not answer then, nothing is run; if it stops
    answering later, entries to be logged wait.

    Args:
        context: The session's context, with MLflow's configuration.
        parameters: All parameters, since the catalog has only those of the current pipeline.

    Raises:
        InputError: The configuration is wrong.
    """

    def __init__(self, context: KedroContext, parameters: dict[str, Any]) -> None:
        super().__init__()
        self._context = context
        self._parameters = parameters
        try:
            config = KedroMlflowConfig.model_validate(context.config_loader["mlflow"])
            uri = _validate_uri(context.project_path, config.server.mlflow_tracking_uri or "mlruns")
        except ValidationError as error:
            raise InputError(f"Wrong mlflow.yml, nothing was run: {describe_faults(error)}") from None
        except (TypeError, ValueError) as error:
            raise InputError(f"Wrong mlflow.yml, nothing was run: {error}") from None
        config.server.mlflow_tracking_uri = uri
        config._export_credentials(context)
        mlflow.set_tracking_uri(uri)
        context.__setattr__("mlflow", config)  # where `kedro mlflow ui` looks for it
        self.mlflow_config = config
        self._configured_run: str | None = config.tracking.run.id

    def start(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol, models: set[str]) -> None:
        """Start the session's run, or resume an interrupted one.

        Raises:
            InputError: MLflow cannot be used, or would put artefacts elsewhere.
        """
        with _explaining(server.without_password(self.mlflow_config.server.mlflow_tracking_uri)):
            self._connect()
            with runs.failing_if_not_started():
                self._start(run_params, pipeline, catalog, models)
        self._listener = _EpochHandler(self)
        logging.getLogger(_EpochHandler.source).addHandler(self._listener)

    def activate(self, model: str | None) -> bool:
        """Make a run the active one, if MLflow answers, and end the runs of models with no nodes left."""
        finished = {name for name, nodes in self._unfinished.items() if not nodes and name != model}
        for name in finished - self._ended:
            self._send("end_model", name)
        self._ended |= finished
        return self._outbox.deliver() and self._send("activate", model)

    def activate_where_open(self, model: str | None) -> None:
        """Make a run the active one, after checking that MLflow answers."""
        if self._outbox.is_open():
            self.activate(model)

    def log_saved(self, dataset_name: str, data: Any, model: str | None, artifact: Any) -> None:
        """Log saved data.

        Args:
            dataset_name: The name of the data set.
            data: The saved data.
            model: The model that it belongs to, if any.
            artifact: The data set whose file is to be logged; ``None`` if there is none.
        """
        if artifact is not None:
            self._send("log_file", model, Path(str(artifact._filepath)), artifact.artifact_path)
        self._log(dataset_name.removeprefix(f"{model}."), data, model)

    def log_files(self, model: str | None, paths: Iterable[Path]) -> None:
        """Log files that a data set saved.

        Args:
            model: The model that they belong to, if any.
            paths: The paths of the files.
        """
        for path in paths:
            self._send("log_file", model, path, None)

    @property
    def uri(self) -> str:
        """The address of MLflow's records."""
        return self.mlflow_config.server.mlflow_tracking_uri

    @property
    def run_ids(self) -> list[str]:
        """The ids of the session's run and its children."""
        return sorted(self._runs.ids())

    @property
    def page(self) -> str:
        """The UI's page that compares the session's models, or shows its only run; with the address of a server."""
        uri = server.without_password(self.mlflow_config.server.mlflow_tracking_uri)
        return (f"{uri.rstrip('/')}/" if uri.startswith("http") else "") + self._runs.page

    def describe_finished(self, run_ids: list[str]) -> dict[str, Any] | None:
        """List the files that MLflow stores for runs; ``None`` if a run did not finish, or does not exist."""
        uri = self.mlflow_config.server.mlflow_tracking_uri
        there = server.find_file(uri).is_file() if uri.startswith("sqlite:") else server.answers(uri)
        return kept.describe_finished(mlflow.MlflowClient(uri), run_ids) if there else None

    def count_node(self, model: str) -> None:
        """Count a model's node that has run, to determine later whether the model had finished."""
        self._unfinished[model] -= 1

    def end(self, name: str) -> None:
        """End the session's run with the status of this name, and each child according to its progress."""
        status = RunStatus.from_string(name)
        logging.getLogger(_EpochHandler.source).removeHandler(self._listener)
        unfinished = RunStatus.FAILED if status == RunStatus.FINISHED else status
        self._send("end_children", self._unfinished, unfinished)
        if not self._already_active_mlflow:
            self._send("end_session", status)
        self._outbox.close()
        self._alone.release(force=True)
        while mlflow.active_run() and not self._already_active_mlflow:
            with suppress(Exception):  # the server may be gone; the run leaves the stack, and can be resumed
                mlflow.end_run(RunStatus.to_string(RunStatus.RUNNING))

    def log_epoch(self, model: str, figures: dict[str, float]) -> None:
        """Log the metrics of an epoch during the run, unless the run already has them."""
        self._send("log_epoch", model, figures, _now())

    def _connect(self) -> None:
        """Find or create the experiment, in a database or on a server that answers.

        Raises:
            InputError: The server does not answer, or artefacts would go elsewhere than to the project.
        """
        config = self.mlflow_config
        server.require_server(config.server.mlflow_tracking_uri)
        self._already_active_mlflow = mlflow.active_run() is not None
        if self._already_active_mlflow:  # a run of the caller's, who has set everything up
            super().after_context_created(self._context)
            config = self.mlflow_config
        else:
            with server.hold_database(config.server.mlflow_tracking_uri):
                config.setup(self._context)
        self._client = config.server._mlflow_client
        experiment = config.tracking.experiment._experiment
        describe_experiment(self._client, experiment)
        if config.server.mlflow_tracking_uri == f"sqlite:///{self._context.project_path}/{DATABASE}":
            configured = config.tracking.experiment.create_experiment_kwargs.artifact_location
            require_place(experiment.name, experiment.artifact_location, configured)

    def _start(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol, models: set[str]
    ) -> None:
        tracking = self.mlflow_config.tracking
        only = next(iter(models)) if len(models) == 1 else None
        session = fingerprint_session(run_params, pipeline, self._parameters, models)
        self._alone = server.hold_session(session)
        experiment = tracking.experiment._experiment
        interrupted = self._configured_run or runs.find_interrupted(self._client, experiment.experiment_id, session)
        tracking.run.name = only or tracking.run.name
        tracking.run.id = interrupted
        with runs.creating_with({"session": session}):
            super().before_pipeline_run(run_params, pipeline, catalog)
        tags = {MLFLOW_GIT_COMMIT: find_git_commit(run_params["project_path"])}
        self._catalog = catalog
        manifest = None
        if catalog.exists("manifest"):
            with suppress(DatasetError):  # this run may replace a damaged manifest
                manifest = catalog.load("manifest")
                tags["data_fingerprint"] = fingerprint_manifest(manifest)
        self._runs = runs.Runs(self._client, self.run_id, only, bool(interrupted), self._parameters, tags)
        # A manifest that this run makes is logged when it is saved.
        if manifest is not None and "manifest" not in pipeline.all_outputs():
            self._runs.log_data(fingerprint_manifest(manifest), len(manifest))
        uri = self.mlflow_config.server.mlflow_tracking_uri
        self._outbox = Outbox(partial(server.answers, uri), server.without_password(uri))
        self._ended = set[str]()
        self._unfinished = {name: sum(find_model(node) == name for node in pipeline.nodes) for name in models}

    def _log(self, kind: str, data: Any, model: str | None) -> None:
        match kind:
            case "journal":
                self._send("leave_run_of_another_training", model, fingerprint_facts(data))
            case "metrics" | "robustness_summary" | "generation_metrics" | "generation_summary" | "monitoring_metrics":
                self._send("log_metrics", model, data, _now())
            case "promotion" | "training_summary":
                self._send("log_metrics", model, data, _now())
                self._send("log_tags", model, {name: data.get(name) for name in _TAGS[kind]})
            case "model":
                self._send("log_model", model, data)
            case "external_reports":
                for name, page in data.items():
                    self._send("log_page", model, page, f"{name}.html")
            case name if name.endswith(("reports", "model_cards")):
                self._log_pages(data, "html" if name.endswith("reports") else "md")
            case "external_metrics":
                for row in data.to_dict("records"):
                    named = {f"{row['model']}/{name}": value for name, value in row.items()}
                    self._send("log_metrics", model, named, _now())
            case "manifest":
                self._send("log_data", fingerprint_manifest(data), len(data))
            case "summary":
                self._send("describe", model, tracked.describe_model(data))
            case "comparison_figure":
                self._describe_session()

    def _describe_session(self) -> None:
        """Describe the outcome of a session that compared models, once all tables of the comparison exist."""
        comparison, colour, differences = map(self._catalog.load, ("comparison", "colour_baseline", "differences"))
        self._send("log_metrics", None, tracked.pick_figures(comparison, colour), _now())
        self._send("describe", None, partial(tracked.describe_session, comparison, colour, differences))

    def _log_pages(self, pages: dict[str, str], suffix: str) -> None:
        """Log the pages about each model into its run, if this session has one."""
        for name, page in pages.items():
            model, title = name.split("/")
            if model in self._unfinished:
                self._send("log_page", model, page, f"{title}.{suffix}")

    def _send(self, action: str, *values: Any) -> bool:
        """Queue an action on the runs, to be done now or when MLflow answers."""
        return self._outbox.send(partial(getattr(self._runs, action), *values))


class _EpochHandler(logging.Handler):
    """Passes the epochs in log records to the tracker."""

    source = EPOCHS

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self._tracker = tracker

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's epoch, if it has one."""
        if hasattr(record, "epoch"):
            self._tracker.log_epoch(record.model, record.epoch)  # type: ignore[attr-defined]


@contextmanager
def _explaining(uri: str) -> Iterator[None]:
    """Turn MLflow's errors about a bad address, database or server into one line."""
    try:
        yield
    except InputError:
        raise
    except Timeout as error:
        raise InputError(f"Another run has been setting up {uri} for a minute. Let it end, or stop it.") from error
    # ImportError: a missing database driver
    except (MlflowException, RequestException, SQLAlchemyError, OSError, ImportError) as error:
        raise InputError(f"MLflow cannot be used at {uri}: {first_line(error)}. Nothing was run.") from error


def _now() -> int:
    return int(time.time() * 1000)
