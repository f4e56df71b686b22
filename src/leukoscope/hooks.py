"""What runs around the pipelines: the check of parameters, and tracking by MLflow."""

import atexit
import json
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

from filelock import FileLock
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import settings
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.exceptions import ParameterValidationError
from pydantic import BaseModel

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before MLflow is imported
# Before Arrow allocates: its own allocators keep several times what a table of images needs.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

import mlflow
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.entities import LoggedModelStatus, Metric, Param, Run, RunStatus, RunTag
from mlflow.environment_variables import MLFLOW_RUN_CONTEXT
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from leukoscope.errors import InputError
from leukoscope.images.fingerprint import fingerprint_facts
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.models.backbones import BACKBONES
from leukoscope.models.mapping import ClassMapping
from leukoscope.models.recipes import require_weights, resolve_recipe
from leukoscope.options import plain_name, refuse_unknown_names
from leukoscope.paths import require_paths
from leukoscope.pipelines.training.nodes import prepare_training
from leukoscope.relocation import require_place
from leukoscope.software import find_git_commit

logger = logging.getLogger(__name__)


class InputHook:
    """Refuses wrong parameters before anything runs, and shows what is wrong with the input by itself."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check all parameters, of whatever pipeline, and what ``--params`` sets.

        Raises:
            InputError: A name is unknown, a value does not fit, or a path is none.
        """
        try:
            given = context._runtime_params or {}
            refuse_unknown_names(given, _configured_names(context))
            self._parameters = context.params
            require_paths(self._parameters)
            check_parameters(self._parameters, given)
        except (ParameterValidationError, ValueError) as error:
            raise InputError(f"Wrong parameters, nothing was run: {error}") from None

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Look for what a training starts from, before the images are prepared for it.

        Raises:
            InputError: The weights file of a backbone that is to be trained cannot be read.
        """
        for name in sorted({str(node.namespace) for node in pipeline.nodes if node.func is prepare_training}):
            recipe = resolve_recipe(name, self._parameters["training"], self._parameters[name].training)
            require_weights(name, recipe)

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Raise an input error anew that the catalog has wrapped, so that its message stands alone.

        Raises:
            InputError: It is what caused the error.
        """
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None


def check_parameters(parameters: dict[str, Any], given: Collection[str]) -> None:
    """Check what parameters of different pipelines have to do with each other.

    Args:
        parameters: All parameters, validated.
        given: The names of those that the command line sets.

    Raises:
        InputError: A recipe does not fit its backbone.
        ValueError: Parameters contradict each other.
    """
    for name in BACKBONES:
        own = parameters[name]
        if own.backbone != name:
            raise ValueError(f"{name}.backbone is '{own.backbone}'; it must be {name}")
        resolve_recipe(name, parameters["training"], own.training)
    seed, benign, classes = parameters["seed"], parameters["evaluation"].benign_class, parameters["class_names"]
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be a whole number, 0 or more")
    if not isinstance(classes, list) or len({plain_name(str(name)) for name in classes}) < max(2, len(classes)):
        raise ValueError(
            f"class_names is {classes!r}; it must be a list of two or more names that differ in more than case, space "
            f"and hyphen"
        )
    refuse_unknown_names(parameters["ingestion"].expected_counts or {}, classes, " in ingestion.expected_counts")
    if benign not in classes:
        raise ValueError(f"evaluation.benign_class is '{benign}', which is none of class_names: {', '.join(classes)}")
    ClassMapping.resolve(parameters["external"].class_map, classes, benign)
    if "group_table" in given and parameters["splitting"].group_by != "table":
        raise ValueError("group_table is given and would not be used: give splitting.group_by=table too")


def _configured_names(context: KedroContext) -> set[str]:
    """List the parameters that the configuration has, without those of the command line."""
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=context.config_loader.conf_source, env=context.env, **settings.CONFIG_LOADER_ARGS
    )
    return set(loader["parameters"])


class TrackingHook(MlflowHook):
    """Gives each backbone a run of its own, with the same plain names in each.

    A session with several backbones has a run of its own too, whose children are theirs; with one backbone the
    session's run is the backbone's. Epochs arrive as log records of ``leukoscope.models.fitting``. A session that was
    interrupted and is started again by the same command goes on in the same runs.
    """

    run_id: str

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set MLflow up, and keep all parameters: the catalog has typed ones of the pipeline at hand only."""
        with _one_at_a_time(Path(context.project_path)):
            super().after_context_created(context)
        self._parameters = context.params
        self._configured_run: str | None = self.mlflow_config.tracking.run.id

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Start the session's run.

        Raises:
            InputError: The runner would train several backbones at once, or MLflow would put artefacts elsewhere.
        """
        namespaces = {node.namespace for node in pipeline.nodes if node.namespace}
        if namespaces and "SequentialRunner" not in str(run_params["runner"]):
            raise InputError(
                "Only SequentialRunner trains and evaluates backbones: Keras' seed and precision, and the MLflow run, "
                "are one for the whole process, and each backbone uses all cores anyhow. Leave out --runner."
            )
        self._require_place(run_params)
        only = next(iter(namespaces)) if len(namespaces) == 1 else None
        self._client = self.mlflow_config.server._mlflow_client
        session = _fingerprint_session(run_params, pipeline, self._parameters, namespaces)
        interrupted = self._configured_run or self._find_interrupted(session)
        if only:
            self.mlflow_config.tracking.run.name = only
        self.mlflow_config.tracking.run.id = interrupted
        with _creating_with({"session": session}):
            super().before_pipeline_run(run_params, pipeline, catalog)
        if not self._is_mlflow_enabled:
            self._heed_interruptions()
            return
        self._catalog = catalog
        self._git_commit = find_git_commit(run_params["project_path"])
        self._only = only
        self._runs: dict[str | None, str] = {None: self.run_id, only: self.run_id}
        self._logged = self._find_logged_epochs(self.run_id) if interrupted else {}
        self._children = self._find_children() if interrupted else {}
        self._unfinished = {name: sum(node.namespace == name for node in pipeline.nodes) for name in namespaces}
        self._describe_run(self.run_id, only)
        self._epochs = _EpochHandler(self)
        logging.getLogger(_EpochHandler.source).addHandler(self._epochs)
        self._heed_interruptions()

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Make the node's run the active one."""
        self._activate(node.namespace)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Make the node's run the active one; parameters were logged when the run started."""
        self._activate(node.namespace)

    @hook_impl
    def before_dataset_saved(self, node: Node) -> None:
        """Make the node's run the active one, so that artefacts land in it."""
        self._activate(node.namespace)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log what a data set's own file does not tell MLflow."""
        if not self._is_mlflow_enabled:
            return
        run_id = self._run_of(node.namespace)
        match dataset_name.removeprefix(f"{node.namespace}."):
            case "journal":
                self._leave_run_of_another_training(node.namespace, fingerprint_facts(data))
            case "metrics" | "robustness_summary":
                self._log_metrics(run_id, data)
            case "training_summary":
                self._log_metrics(run_id, data)
                self._log_tags(run_id, {name: data[name] for name in ("device", "backend", "precision")})
            case "model":
                self._end_unfinished_models(run_id)
                _log_model(data)
            case "reports" | "model_cards":
                self._log_pages(data, {"reports": "html", "model_cards": "md"}[dataset_name])
            case "external_reports":
                for name, page in data.items():
                    self._client.log_text(run_id, page, f"{name}.html")
            case "external_metrics":
                for row in data.to_dict("records"):
                    self._log_metrics(run_id, {f"{row['backbone']}/{name}": value for name, value in row.items()})
            case "promotion":
                self._log_metrics(run_id, data)
                self._log_tags(run_id, {name: data.get(name) for name in ("candidate", "champion", "why")})
            case "manifest":
                self._log_tags(run_id, {"data_fingerprint": fingerprint_manifest(data)})

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Count what is left of a backbone, to tell later whether it had finished."""
        if self._is_mlflow_enabled and node.namespace:
            self._unfinished[node.namespace] -= 1

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """End all runs."""
        self._end_children(RunStatus.FAILED)
        super().after_pipeline_run(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """End all runs: a backbone that had finished is so, others and the session's failed."""
        self._end_children(RunStatus.FAILED)
        super().on_pipeline_error(error, run_params, pipeline, catalog)

    def log_epoch(self, backbone: str, figures: dict[str, float]) -> None:
        """Log the figures of an epoch while the run goes on, unless the run has them from before."""
        step, run_id = int(figures["epoch"]), self._run_of(backbone)
        if step in self._logged.setdefault(run_id, set()):
            return
        self._logged[run_id].add(step)
        self._log_metrics(run_id, {f"epoch/{name}": figures[name] for name in figures if name != "epoch"}, step)

    def _require_place(self, run_params: dict[str, Any]) -> None:
        """Make sure that artefacts go to the project, if it has the database and the pipelines are tracked.

        Raises:
            InputError: They would go elsewhere.
        """
        names = run_params.get("pipeline_name") or run_params.get("pipeline_names") or ["__default__"]
        untracked = self.mlflow_config.tracking.disable_tracking.pipelines
        tracked = not set([names] if isinstance(names, str) else names) <= set(untracked)
        if tracked and self.mlflow_config.server.mlflow_tracking_uri.startswith("sqlite:///"):
            experiment = self.mlflow_config.tracking.experiment
            configured = experiment.create_experiment_kwargs.artifact_location
            require_place(experiment.name, experiment._experiment.artifact_location, configured)

    def _find_interrupted(self, session: str) -> str | None:
        """Find the last run of a session of the same pipeline and parameters, if it did not finish."""
        runs = self._search_runs(f"tags.session = '{session}'")
        if not runs or runs[-1].info.status == RunStatus.to_string(RunStatus.FINISHED):
            return None
        logger.info("Going on with the run %s, which was interrupted", runs[-1].info.run_id)
        return runs[-1].info.run_id

    def _find_logged_epochs(self, run_id: str) -> dict[str, set[int]]:
        return {run_id: {one.step for one in self._client.get_metric_history(run_id, "epoch/train_loss")}}

    def _find_children(self) -> dict[str, str]:
        """Find the last child of each backbone that the session's run has from before."""
        runs = self._search_runs(f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.run_id}'")
        return {run.data.tags["backbone"]: run.info.run_id for run in runs if "backbone" in run.data.tags}

    def _search_runs(self, filter_string: str) -> list[Run]:
        """Search the experiment; the last run to start comes last."""
        experiment = self.mlflow_config.tracking.experiment._experiment.experiment_id
        return self._client.search_runs([experiment], filter_string, order_by=["attributes.start_time ASC"])

    def _run_of(self, namespace: str | None) -> str:
        if namespace not in self._runs:
            run_id = self._children.get(namespace) if namespace else None
            if run_id:
                self._client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
                self._logged |= self._find_logged_epochs(run_id)
            else:
                run_id = self._create_run(namespace)
            self._runs[namespace] = run_id
            self._describe_run(run_id, namespace)
        return self._runs[namespace]

    def _create_run(self, namespace: str | None) -> str:
        """Create a child of the session's run, or what takes the session's place where it has one backbone only."""
        session = self._client.get_run(self.run_id)
        tags = session.data.tags | {MLFLOW_RUN_NAME: str(namespace), "backbone": str(namespace)}
        if namespace != self._only:
            tags |= {MLFLOW_PARENT_RUN_ID: self.run_id}
            tags.pop("session")
        return self._client.create_run(session.info.experiment_id, tags=tags, run_name=namespace).info.run_id

    def _leave_run_of_another_training(self, namespace: str | None, training: str) -> None:
        """Take a new run where an interrupted one has epochs of a training that is not gone on with."""
        run_id = self._run_of(namespace)
        if self._logged.get(run_id) and self._client.get_run(run_id).data.tags.get("training") != training:
            self._runs[namespace] = self._create_run(namespace)
            if namespace == self._only:
                self.run_id = self._runs[None] = self._runs[namespace]
            self._describe_run(self._runs[namespace], namespace)
            self._activate(namespace)
            self._client.set_terminated(run_id, RunStatus.to_string(RunStatus.KILLED))
        self._log_tags(self._runs[namespace], {"training": training})

    def _heed_interruptions(self) -> None:
        """Mark the runs as killed if the process ends before the pipeline does; batch systems end it by SIGTERM."""
        atexit.register(self._end_killed)  # after MLflow's own, which would call them finished: the last is the first
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _exit)

    def _end_killed(self) -> None:
        self._end_children(RunStatus.KILLED)
        mlflow.end_run(RunStatus.to_string(RunStatus.KILLED))
        logger.warning(
            "Interrupted. The same command goes on%s: what is whole stays, and a training goes on after its last whole "
            "epoch.",
            " in the same run" if self._is_mlflow_enabled else "",
        )

    def _activate(self, namespace: str | None) -> None:
        """Put the run on the stack of this thread, alone; what leaves the stack goes on running."""
        if not self._is_mlflow_enabled:
            return
        run_id = self._run_of(namespace)
        while (active := mlflow.active_run()) and active.info.run_id != run_id:
            mlflow.end_run(RunStatus.to_string(RunStatus.RUNNING))
        if not active:
            mlflow.start_run(run_id=run_id)

    def _end_children(self, status: int) -> None:
        """End the children, unfinished ones with a status, and leave the session's run as the active one."""
        atexit.unregister(self._end_killed)
        if signal.getsignal(signal.SIGTERM) is _exit:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if not self._is_mlflow_enabled:
            return
        logging.getLogger(_EpochHandler.source).removeHandler(self._epochs)
        self._activate(None)
        for namespace, run_id in self._runs.items():
            if namespace and run_id != self.run_id:
                own = status if self._unfinished[namespace] else RunStatus.FINISHED
                self._client.set_terminated(run_id, RunStatus.to_string(own))

    def _end_unfinished_models(self, run_id: str) -> None:
        """Call failed what a killed session was logging: the model is logged anew."""
        experiment = self._client.get_run(run_id).info.experiment_id
        for model in self._client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
            if model.status == LoggedModelStatus.PENDING:
                self._client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)

    def _describe_run(self, run_id: str, backbone: str | None) -> None:
        self._log_params(run_id, parameters_in_force(self._parameters, backbone))
        tags = {"backbone": backbone, MLFLOW_GIT_COMMIT: self._git_commit}
        if self._catalog.exists("manifest"):
            tags["data_fingerprint"] = fingerprint_manifest(self._catalog.load("manifest"))
        self._log_tags(run_id, tags)

    def _log_metrics(self, run_id: str, figures: dict[str, Any], step: int = 0) -> None:
        now = int(time.time() * 1000)
        numbers = {
            name: figure for name, figure in figures.items() if isinstance(figure, int | float) and isfinite(figure)
        }
        self._client.log_batch(run_id, metrics=[Metric(name, float(one), now, step) for name, one in numbers.items()])

    def _log_pages(self, pages: dict[str, str], suffix: str) -> None:
        """Log what is written about each backbone into its run, if this session has one of it."""
        for name, page in pages.items():
            backbone, title = name.split("/")
            if backbone in self._unfinished:
                self._client.log_text(self._run_of(backbone), page, f"{title}.{suffix}")

    def _log_params(self, run_id: str, values: dict[str, Any]) -> None:
        self._client.log_batch(run_id, params=[Param(name, str(value)) for name, value in values.items()])

    def _log_tags(self, run_id: str, values: dict[str, Any]) -> None:
        self._client.log_batch(run_id, tags=[RunTag(name, str(value)) for name, value in values.items() if value])


class _EpochHandler(logging.Handler):
    """Hands the epochs in log records to the tracking."""

    source = "leukoscope.models.fitting"

    def __init__(self, tracking: TrackingHook) -> None:
        super().__init__()
        self._tracking = tracking

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's epoch, if it has one."""
        if hasattr(record, "epoch"):
            self._tracking.log_epoch(record.backbone, record.epoch)  # type: ignore[attr-defined]


def parameters_in_force(parameters: dict[str, Any], backbone: str | None) -> dict[str, Any]:
    """Flatten the parameters of a run: all shared ones, and the backbone's resolved recipe as ``training``.

    Args:
        parameters: All parameters, validated.
        backbone: Whose recipe; ``None`` for the shared recipe.
    """
    shared = {name: value for name, value in parameters.items() if name not in BACKBONES}
    if backbone:
        shared["training"] = resolve_recipe(backbone, parameters["training"], parameters[backbone].training)
    return _flatten(shared)


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inner = value.model_dump() if isinstance(value, BaseModel) else value
        flat |= _flatten(inner, f"{prefix}{name}.") if isinstance(inner, dict) else {f"{prefix}{name}": inner}
    return flat


def _one_at_a_time(project: Path) -> AbstractContextManager:
    """Let one run at a time make or renew the project's own database: MLflow does so step by step."""
    return nullcontext() if os.environ.get("MLFLOW_TRACKING_URI") else FileLock(project / "mlflow.db.lock")


def _fingerprint_session(
    run_params: dict[str, Any], pipeline: Pipeline, parameters: dict[str, Any], namespaces: set[str]
) -> str:
    """Hash what a command runs and where: the same command in the same project on the same machine has the same."""
    place = [platform.node(), run_params["project_path"], run_params.get("env")]
    names = sorted(node.name for node in pipeline.nodes)
    in_force = [parameters_in_force(parameters, one) for one in [None, *sorted(namespaces)]]
    return fingerprint_facts([place, names, in_force])


@contextmanager
def _creating_with(tags: dict[str, str]) -> Iterator[None]:
    """Let runs have tags from their first moment on, so that one whose process dies right then is found by them."""
    before = MLFLOW_RUN_CONTEXT.get_raw()
    MLFLOW_RUN_CONTEXT.set(json.dumps(json.loads(before or "{}") | tags))
    try:
        yield
    finally:
        MLFLOW_RUN_CONTEXT.unset() if before is None else MLFLOW_RUN_CONTEXT.set(before)


def _exit(number: int, frame: Any) -> None:
    sys.exit(128 + number)


def _log_model(classifier: Any) -> None:
    """Log the Keras model into the active run, with its signature and class names."""
    import keras
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    classes = len(classifier.class_names)
    backend = keras.backend.backend()
    mlflow.keras.log_model(
        classifier.network,
        name="model",
        signature=ModelSignature(
            inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, -1, -1, 3), name="image")]),
            outputs=Schema([TensorSpec(np.dtype("float32"), (-1, classes), name="probabilities")]),
        ),
        metadata={"class_names": list(classifier.class_names)},
        pip_requirements=[f"{package}=={version(package)}" for package in ("keras", backend)],
    )
