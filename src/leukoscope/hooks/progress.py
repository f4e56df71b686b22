"""The progress of a run: an updated line in a terminal, plain lines in a log."""

import atexit
import logging
from collections.abc import Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from rich import get_console
from rich.status import Status

from leukoscope.core.durations import say_time_left
from leukoscope.core.stages import find_model, list_models
from leukoscope.training.journal import EPOCHS

logger = logging.getLogger(__name__)


class ProgressHook:
    """Shows which of how many models is running, and how long its training will take.

    In a terminal it uses one line below the log while nodes of models run; other nodes have their own progress bars.
    """

    def __init__(self) -> None:
        self._status: Status | None = None
        self._models: Mapping[str, Any] = {}
        self._forget()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the models' titles."""
        self._models = context.params.get("models", {})

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Count the models."""
        self._forget()
        self._count = len(list_models(pipeline))
        logging.getLogger(EPOCHS).addHandler(self._listener)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log which model begins, and in a terminal show which node."""
        model = find_model(node)
        if model is None:
            self._hide()
            return
        if model not in self._begun:
            self._begun.append(model)
            logger.info("%s", self._name(model))
        self._show(f"{self._name(model)}, {node.name.rpartition('.')[2].replace('_', ' ')}")

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Remove the line."""
        self._end()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Remove the line."""
        self._end()

    def follow(self, model: str, epoch: int, epochs: int, seconds: float) -> None:
        """Show the progress of a training.

        Args:
            model: The model's name.
            epoch: Number of finished epochs.
            epochs: Largest number of epochs.
            seconds: Duration of the last epoch.
        """
        left = say_time_left(epoch, epochs, seconds)
        if self._status and left:
            self._show(f"{self._name(model)}, epoch {epoch + 1} of {epochs}, {left}")

    def _name(self, model: str) -> str:
        title = getattr(self._models.get(model), "title", model)
        place = self._begun.index(model) + 1 if model in self._begun else len(self._begun)
        return f"{place} of {self._count}: {title}" if self._count > 1 else str(title)

    def _show(self, words: str) -> None:
        if self._status:
            self._status.update(words)
        elif get_console().is_terminal:
            self._status = get_console().status(words)
            atexit.register(self._hide)  # Kedro does not report Ctrl-C, which would leave the terminal without a cursor
            self._status.start()

    def _hide(self) -> None:
        status = self._status
        self._status = None
        if status:
            atexit.unregister(self._hide)
            status.stop()

    def _end(self) -> None:
        self._hide()
        logging.getLogger(EPOCHS).removeHandler(self._listener)

    def _forget(self) -> None:
        self._begun: list[str] = []
        self._count = 0
        self._listener = _Listener(self)


class _Listener(logging.Handler):
    """Passes the epochs in log records to the hook."""

    def __init__(self, progress: ProgressHook) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the record's epoch, if it has one."""
        if hasattr(record, "epoch"):
            row: Mapping[str, Any] = record.epoch
            epochs = getattr(record, "epochs", 0)
            self._progress.follow(getattr(record, "model", ""), row["epoch"], epochs, row["seconds"])
