"""The MLflow runs of a session: its own run, and one for each model."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, LoggedModelStatus, Metric, Param, Run, RunStatus, RunTag
from mlflow.environment_variables import MLFLOW_RUN_CONTEXT
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from leukoscope.core.old_names import read_tag
from leukoscope.hooks.classifiers import log_files, log_network
from leukoscope.hooks.in_force import parameters_in_force
from leukoscope.hooks.views import find_view
from leukoscope.models.base import NETWORK

logger = logging.getLogger(__name__)


class Runs:
    """The runs of one session, found or created when something is to be logged into them.

    Args:
        client: The MLflow client.
        session: The session's run.
        only: The session's only model, which shares the session's run; ``None`` if there are no or several models.
        goes_on: Whether an interrupted session is resumed.
        parameters: All parameters.
        tags: The tags of every run.
    """

    def __init__(
        self,
        client: MlflowClient,
        session: str,
        only: str | None,
        goes_on: bool,
        parameters: dict[str, Any],
        tags: dict[str, Any],
    ) -> None:
        self._client = client
        self.session = session
        self._only = only
        self._parameters = parameters
        self._tags = tags
        self._runs: dict[str | None, str] = {None: session, only: session}
        self._ended: set[str] = set()
        self._data: DatasetInput | None = None
        self._epochs = self._find_epochs(session) if goes_on else {}
        self._children = self._find_children() if goes_on else {}
        self._describe(session, only)

    def of(self, model: str | None) -> str:
        """Return the run of a model, or the session's; a child is created when it is first requested."""
        if model not in self._runs:
            run_id = self._children.get(model) if model else None
            if run_id:
                self._client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
                self._epochs |= self._find_epochs(run_id)
            else:
                run_id = self._create(model)
                if model:
                    self._children[model] = run_id
            self._describe(run_id, model)
            self._runs[model] = run_id
        return self._runs[model]

    def ids(self) -> set[str]:
        """Return the runs that this session has found or created."""
        return set(self._runs.values())

    @property
    def page(self) -> str:
        """The address within the UI that ranks the models, or that of the session's run if there is only one model."""
        experiment = self._client.get_run(self.session).info.experiment_id
        return f"#/experiments/{experiment}/runs/{self.session}" if self._only else find_view(experiment)

    def activate(self, model: str | None) -> None:
        """Make a run the only one on this thread's stack; runs that leave the stack keep the status running."""
        run_id = self.of(model)
        while (active := mlflow.active_run()) and active.info.run_id != run_id:
            mlflow.end_run(RunStatus.to_string(RunStatus.RUNNING))
        if not active:
            mlflow.start_run(run_id=run_id)

    def leave_run_of_another_training(self, model: str | None, training: str) -> None:
        """Start a new run if an interrupted one has epochs of a training that is not resumed."""
        run_id = self.of(model)
        if self._epochs.get(run_id) and self._client.get_run(run_id).data.tags.get("training") != training:
            new = self._create(model)
            self._describe(new, model)
            self._kill(run_id)
            if model == self._only:
                self._client.delete_tag(run_id, "session")  # the abandoned run is never resumed
                self.session = self._runs[None] = new
            self._runs[model] = new  # last, since an entry that fails is delivered again
            self.activate(model)
        self.log_tags(model, {"training": training})

    def _kill(self, run_id: str) -> None:
        status = RunStatus.to_string(RunStatus.KILLED)
        active = mlflow.active_run()
        if active and active.info.run_id == run_id:
            mlflow.end_run(status)  # a run that leaves the stack later would be marked as running again
        else:
            self._client.set_terminated(run_id, status)

    def end_model(self, model: str, status: int = RunStatus.FINISHED) -> None:
        """End a model's run, unless it is also the session's run, or has already ended."""
        run_id = self._runs.get(model)
        if run_id and run_id != self.session and model not in self._ended:
            self.activate(None)  # a run that leaves the stack later would be marked as running again
            self._client.set_terminated(run_id, RunStatus.to_string(status))
            self._ended.add(model)

    def end_children(self, unfinished: Mapping[str, int], status: int) -> None:
        """End the models' runs: as finished, or with the given status if nodes are left to run."""
        for model in list(self._runs):
            if model:
                self.end_model(model, status if unfinished[model] else RunStatus.FINISHED)

    def end_session(self, status: int) -> None:
        """End the session's run, and leave no run active."""
        self.activate(None)
        mlflow.end_run(RunStatus.to_string(status))

    def log_epoch(self, model: str, figures: dict[str, float], milliseconds: int) -> None:
        """Log the metrics of an epoch, unless the run already has them."""
        step = int(figures["epoch"])
        run_id = self.of(model)
        if step in self._epochs.setdefault(run_id, set()):
            return
        named = {f"epoch/{name}": figures[name] for name in figures if name != "epoch"}
        self.log_metrics(model, named, milliseconds, step)
        self._epochs[run_id].add(step)

    def log_metrics(self, model: str | None, figures: dict[str, Any], milliseconds: int, step: int = 0) -> None:
        """Log the values that are finite numbers; the time counts from the Unix epoch."""
        numbers = {name: value for name, value in figures.items() if isinstance(value, int | float) and isfinite(value)}
        metrics = [Metric(name, float(value), milliseconds, step) for name, value in numbers.items()]
        self._client.log_batch(self.of(model), metrics=metrics)

    def log_tags(self, model: str | None, values: dict[str, Any]) -> None:
        """Tag a run with the values that are not empty."""
        self._tag(self.of(model), values)

    def log_data(self, fingerprint: str, images: int) -> None:
        """Log the images used by the session's run and by the runs of models that begin from now on.

        Args:
            fingerprint: The fingerprint of the manifest.
            images: Number of files in the manifest.
        """
        self._data = DatasetInput(
            Dataset(
                "smears",
                fingerprint,
                "local",
                json.dumps({"uri": "manifest"}),
                profile=json.dumps({"num_rows": images}),
            )
        )
        self._tags = self._tags | {"data_fingerprint": fingerprint}
        self._tag(self.session, {"data_fingerprint": fingerprint})
        self._tell_data(self.session)

    def describe(self, model: str | None, text: str | Callable[[Callable[[str], str | None]], str]) -> None:
        """Set the description of a run, in Markdown.

        Args:
            model: The model with the run; ``None`` for the session's run.
            text: The description, or a function that makes it, given a function that links to a model's run.
        """
        words = text if isinstance(text, str) else text(self._link)
        self._tag(self.of(model), {MLFLOW_RUN_NOTE: words})

    def _link(self, model: str) -> str | None:
        """Return the address of a model's run within the UI; ``None`` if there is no run."""
        if model not in self._runs:
            return None
        run = self._client.get_run(self._runs[model])
        return f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"

    def _tell_data(self, run_id: str) -> None:
        inputs = self._client.get_run(run_id).inputs
        if self._data and not (inputs and inputs.dataset_inputs):
            self._client.log_inputs(run_id, [self._data])

    def log_page(self, model: str | None, page: str, name: str) -> None:
        """Log a text as a file."""
        self._client.log_text(self.of(model), page, name)

    def log_file(self, model: str | None, path: Path, folder: str | None) -> None:
        """Log a file."""
        self._client.log_artifact(self.of(model), str(path), folder)

    def log_model(self, model: str | None, classifier: Any) -> None:
        """Log a network as a Keras model with signature and class names, or the own files of another kind."""
        self.activate(model)
        run_id = self.of(model)
        if getattr(classifier, "place", NETWORK) == NETWORK:
            self._end_unfinished_models(run_id)
            log_network(classifier)
        else:
            log_files(self._client, run_id, classifier)

    def _create(self, model: str | None) -> str:
        """Create a child of the session's run, or for its only model a run that replaces it."""
        session = self._client.get_run(self.session)
        tags = session.data.tags | {MLFLOW_RUN_NAME: str(model), "model": str(model)}
        if model != self._only:
            tags |= {MLFLOW_PARENT_RUN_ID: self.session}
            tags.pop("session")
        return self._client.create_run(session.info.experiment_id, tags=tags, run_name=model).info.run_id

    def _describe(self, run_id: str, model: str | None) -> None:
        # A resumed run has parameters, but may run elsewhere now, and MLflow accepts no parameter twice.
        logged = self._client.get_run(run_id).data.params
        values = parameters_in_force(self._parameters, model)
        parameters = [Param(name, str(value)) for name, value in values.items() if name not in logged]
        self._client.log_batch(run_id, params=parameters)
        self._tag(run_id, self._tags | {"model": model})
        self._tell_data(run_id)

    def _tag(self, run_id: str, values: dict[str, Any]) -> None:
        self._client.log_batch(run_id, tags=[RunTag(name, str(value)) for name, value in values.items() if value])

    def _find_epochs(self, run_id: str) -> dict[str, set[int]]:
        return {run_id: {point.step for point in self._client.get_metric_history(run_id, "epoch/train_loss")}}

    def _find_children(self) -> dict[str, str]:
        """Find the last existing child of the session's run for each model."""
        experiment = self._client.get_run(self.session).info.experiment_id
        runs = search_runs(self._client, experiment, f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.session}'")
        names = [read_tag(run.data.tags, "model") for run in runs]
        return {name: run.info.run_id for name, run in zip(names, runs, strict=True) if name}

    def _end_unfinished_models(self, run_id: str) -> None:
        """Mark a model that a killed session was logging as failed; it is logged again."""
        experiment = self._client.get_run(run_id).info.experiment_id
        for model in self._client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
            if model.status == LoggedModelStatus.PENDING:
                self._client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)


def find_interrupted(client: MlflowClient, experiment: str, session: str) -> str | None:
    """Find the unfinished run of a session with the same pipeline and parameters.

    There is at most one, since it is resumed; its time stamp, which depends on a clock, is not used.
    """
    runs = search_runs(client, experiment, f"tags.session = '{session}'")
    interrupted = [run for run in runs if run.info.status != RunStatus.to_string(RunStatus.FINISHED)]
    if not interrupted:
        return None
    logger.info("Going on with the run %s, which was interrupted", interrupted[-1].info.run_id)
    return interrupted[-1].info.run_id


def search_runs(client: MlflowClient, experiment: str, filter_string: str) -> list[Run]:
    """Search an experiment for runs, in the order of their start."""
    return client.search_runs([experiment], filter_string, order_by=["attributes.start_time ASC"])


@contextmanager
def creating_with(tags: dict[str, str]) -> Iterator[None]:
    """Create runs with tags from the start, so that a run can be found by them even if its process dies right away."""
    before = MLFLOW_RUN_CONTEXT.get_raw()
    MLFLOW_RUN_CONTEXT.set(json.dumps(json.loads(before or "{}") | tags))
    try:
        yield
    finally:
        MLFLOW_RUN_CONTEXT.unset() if before is None else MLFLOW_RUN_CONTEXT.set(before)


@contextmanager
def failing_if_not_started() -> Iterator[None]:
    """Mark a run that cannot start as failed; MLflow would mark it as finished when the process ends."""
    outer = mlflow.active_run()
    try:
        yield
    except BaseException:
        while (run := mlflow.active_run()) and run is not outer:
            mlflow.end_run(RunStatus.to_string(RunStatus.FAILED))
        raise
