"""Tracking by MLflow: a run for each model, whatever else runs in the session."""

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

# What becomes a tag of what is otherwise metrics.
_TAGS = {"promotion": ("candidate", "champion", "why"), "training_summary": ("device", "backend", "precision")}


class Tracker(MlflowHook):
    """Gives each model a run of its own, with the same plain names in each.

    A session with several models has a run of its own too, whose children are theirs; with one model the
    session's run is the model's. Epochs arrive as records of the logger ``leukoscope.epochs``. A session that was
    interrupted and is started again by the same command goes on in the same runs.

    MLflow is asked for nothing until a pipeline starts. If it does not answer then, nothing is run; if it stops
    answering later, what is to be logged waits.

    Args:
        context: The session's, with MLflow's configuration.
        parameters: All of them: the catalog has those of the pipeline at hand only.

    Raises:
        InputError: The configuration is wrong.
    """

    def __init__(self, context: KedroContext, parameters: dict[str, Any]) -> None:
        super().__init__()
        self._context, self._parameters = context, parameters
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
        """Start the session's run, or go on with an interrupted one.

        Raises:
            InputError: MLflow cannot be used, or would put artefacts elsewhere.
        """
        with _explaining(server.without_password(self.mlflow_config.server.mlflow_tracking_uri)):
            self._connect()
            self._start(run_params, pipeline, catalog, models)
        self._listener = _EpochHandler(self)
        logging.getLogger(_EpochHandler.source).addHandler(self._listener)

    def activate(self, model: str | None) -> bool:
        """Make a run the active one, if MLflow answers, and end those of models that have nothing left to do."""
        finished = {name for name, nodes in self._unfinished.items() if not nodes and name != model}
        for name in finished - self._ended:
            self._send("end_model", name)
        self._ended |= finished
        return self._outbox.deliver() and self._send("activate", model)

    def activate_where_open(self, model: str | None) -> None:
        """Make a run the active one, after a look at whether MLflow answers."""
        if self._outbox.is_open():
            self.activate(model)

    def log_saved(self, dataset_name: str, data: Any, model: str | None, artifact: Any) -> None:
        """Log what was saved.

        Args:
            dataset_name: Its name.
            data: What was saved.
            model: Whose it is, if any.
            artifact: The data set whose file is to be logged; ``None`` where there is none.
        """
        if artifact is not None:
            self._send("log_file", model, Path(str(artifact._filepath)), artifact.artifact_path)
        self._log(dataset_name.removeprefix(f"{model}."), data, model)

    def log_files(self, model: str | None, paths: Iterable[Path]) -> None:
        """Log files that one data set saved.

        Args:
            model: Whose they are, if any.
            paths: Where they are.
        """
        for path in paths:
            self._send("log_file", model, path, None)

    @property
    def uri(self) -> str:
        """The address of MLflow's records."""
        return self.mlflow_config.server.mlflow_tracking_uri

    @property
    def run_ids(self) -> list[str]:
        """The session's run, and its children."""
        return sorted(self._runs.ids())

    @property
    def page(self) -> str:
        """Where the UI shows the session's models beside each other, or its one run; on a server with its address."""
        uri = server.without_password(self.mlflow_config.server.mlflow_tracking_uri)
        return (f"{uri.rstrip('/')}/" if uri.startswith("http") else "") + self._runs.page

    def describe_finished(self, run_ids: list[str]) -> dict[str, Any] | None:
        """Say what MLflow keeps of runs; ``None`` where one did not end well, or is not there."""
        uri = self.mlflow_config.server.mlflow_tracking_uri
        there = server.find_file(uri).is_file() if uri.startswith("sqlite:") else server.answers(uri)
        return kept.describe_finished(mlflow.MlflowClient(uri), run_ids) if there else None

    def count_node(self, model: str) -> None:
        """Count a node of a model that has run, to tell later whether the model had finished."""
        self._unfinished[model] -= 1

    def end(self, name: str) -> None:
        """End the session's run with a status of that name, and the children as far as each had come."""
        status = RunStatus.from_string(name)
        logging.getLogger(_EpochHandler.source).removeHandler(self._listener)
        unfinished = RunStatus.FAILED if status == RunStatus.FINISHED else status
        self._send("end_children", self._unfinished, unfinished)
        if not self._already_active_mlflow:
            self._send("end_session", status)
        self._outbox.close()
        self._alone.release(force=True)
        while mlflow.active_run() and not self._already_active_mlflow:
            with suppress(Exception):  # of a server that is gone; the run leaves the stack, and can be gone on with
                mlflow.end_run(RunStatus.to_string(RunStatus.RUNNING))

    def log_epoch(self, model: str, figures: dict[str, float]) -> None:
        """Log the figures of an epoch while the run goes on, unless the run has them from before."""
        self._send("log_epoch", model, figures, _now())

    def _connect(self) -> None:
        """Make or find the experiment, in a database or on a server that answers.

        Raises:
            InputError: It does not, or artefacts would go elsewhere than to the project.
        """
        config = self.mlflow_config
        server.require_server(config.server.mlflow_tracking_uri)
        self._already_active_mlflow = mlflow.active_run() is not None
        if self._already_active_mlflow:  # somebody else's, who has set everything up
            super().after_context_created(self._context)
            config = self.mlflow_config
        else:
            with server.hold_database(config.server.mlflow_tracking_uri):
                config.setup(self._context)
        self._client = config.server._mlflow_client
        describe_experiment(self._client, config.tracking.experiment._experiment)
        if config.server.mlflow_tracking_uri == f"sqlite:///{self._context.project_path}/{DATABASE}":
            experiment = config.tracking.experiment
            configured = experiment.create_experiment_kwargs.artifact_location
            require_place(experiment.name, experiment._experiment.artifact_location, configured)

    def _start(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol, models: set[str]
    ) -> None:
        tracking = self.mlflow_config.tracking
        only = next(iter(models)) if len(models) == 1 else None
        session = fingerprint_session(run_params, pipeline, self._parameters, models)
        self._alone = server.hold_session(session)
        experiment = tracking.experiment._experiment.experiment_id
        interrupted = self._configured_run or runs.find_interrupted(self._client, experiment, session)
        tracking.run.name = only or tracking.run.name
        tracking.run.id = interrupted
        with runs.creating_with({"session": session}):
            super().before_pipeline_run(run_params, pipeline, catalog)
        tags = {MLFLOW_GIT_COMMIT: find_git_commit(run_params["project_path"])}
        self._catalog, manifest = catalog, None
        if catalog.exists("manifest"):
            with suppress(DatasetError):  # a damaged one may be made anew by this very run
                manifest = catalog.load("manifest")
                tags["data_fingerprint"] = fingerprint_manifest(manifest)
        self._runs = runs.Runs(self._client, self.run_id, only, bool(interrupted), self._parameters, tags)
        # One that this run makes anew is told of when it is there.
        if manifest is not None and "manifest" not in pipeline.all_outputs():
            self._runs.log_data(fingerprint_manifest(manifest), len(manifest))
        uri = self.mlflow_config.server.mlflow_tracking_uri
        self._outbox = Outbox(partial(server.answers, uri), server.without_password(uri))
        self._ended: set[str] = set()
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
        """Say what a session came to that compared models, once all tables of the comparison are there."""
        comparison, colour, differences = (
            self._catalog.load(name) for name in ("comparison", "colour_baseline", "differences")
        )
        self._send("log_metrics", None, tracked.pick_figures(comparison, colour), _now())
        self._send("describe", None, partial(tracked.describe_session, comparison, colour, differences))

    def _log_pages(self, pages: dict[str, str], suffix: str) -> None:
        """Log what is written about each model into its run, if this session has one of it."""
        for name, page in pages.items():
            model, title = name.split("/")
            if model in self._unfinished:
                self._send("log_page", model, page, f"{title}.{suffix}")

    def _send(self, action: str, *values: Any) -> bool:
        """Let the runs do something, now or when MLflow answers."""
        return self._outbox.send(partial(getattr(self._runs, action), *values))


class _EpochHandler(logging.Handler):
    """Hands the epochs in log records to the tracking."""

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
    """Let what MLflow says on a bad address, database or server be one line."""
    try:
        yield
    except InputError:
        raise
    except Timeout as error:
        raise InputError(f"Another run has been setting up {uri} for a minute. Let it end, or stop it.") from error
    # ImportError: of a database's driver
    except (MlflowException, RequestException, SQLAlchemyError, OSError, ImportError) as error:
        raise InputError(f"MLflow cannot be used at {uri}: {first_line(error)}. Nothing was run.") from error


def _now() -> int:
    return int(time.time() * 1000)
