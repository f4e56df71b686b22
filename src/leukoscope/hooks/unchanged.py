"""Commands that would only repeat what is done end at once with a message."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline

from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_read_from_json, read_json, write_json
from leukoscope.datasets import PackedImagesDataset, RawImagesDataset
from leukoscope.hooks.results import show_results
from leukoscope.hooks.state import ABSENT, can_be_told, describe_causes, describe_content
from leukoscope.hooks.tracking import TrackingHook
from leukoscope.images.packing_plan import is_unread

logger = logging.getLogger(__name__)

_IN_MEMORY = (MemoryDataset, NoneType)  # before a run, Kedro's catalog has no entry for data that stays in memory
_ENTRIES = {"finished", "causes", "taken", "made", "runs"}
_FOLDER = ".finished"  # in the folder of an environment's data
_may_end: ContextVar[bool] = ContextVar("may_end", default=False)


class NothingChanged(click.exceptions.Exit):
    """All outputs of a command exist, made from the current inputs."""


@contextmanager
def ending_if_unchanged(may_end: bool) -> Iterator[None]:
    """Let runs inside the context end at once if nothing has changed; runs outside of it always run.

    Args:
        may_end: Whether runs may end at once.
    """
    token = _may_end.set(may_end)
    try:
        yield
    finally:
        _may_end.reset(token)


class UnchangedHook:
    """Records the inputs and outputs of a run, and ends the next one if none of them has changed.

    Inputs are hashed before they are read, and outputs after they are written, so that data which changes in between
    does not match the record, and the command is run again. If the content of a data set cannot be hashed, as for
    MLflow's registry, nothing is recorded.

    Args:
        tracking: Provides the command's MLflow runs.
    """

    def __init__(self, tracking: TrackingHook) -> None:
        self._tracking = tracking
        self._taken: dict[str, str] | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the context."""
        self._context = context

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Compare everything with the record of this command's last run.

        Raises:
            NothingChanged: Nothing has changed.
        """
        self._catalog = catalog
        self._taken = None
        if not all(can_be_told(catalog.get(name)) for name in [*_list_taken(pipeline), *self._list_made(pipeline)]):
            return
        try:
            self._causes = describe_causes(self._context, run_params, pipeline)
            self._file = _find_file(self._context, self._causes["command"])
            self._end_if_unchanged(pipeline)
            self._taken = self._describe(name for name in _list_taken(pipeline) if not self._is_of_images(name))
        except OSError as error:  # the run itself reports better what cannot be read or written
            logger.debug("Not to be remembered: %s", error)

    @hook_impl
    def before_node_run(self) -> None:
        """Remove the last run's record as soon as something may change; before that, the run may still be refused."""
        if self._taken is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str) -> None:
        """Hash raw images after they are listed and before they are read, since the demo draws them only now."""
        if self._taken is not None and self._is_of_images(dataset_name):
            self._taken |= self._describe([dataset_name])

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline) -> None:
        """Record the run, if all its outputs exist and are its own."""
        if self._taken is None:
            return
        try:
            made = self._describe(self._list_made(pipeline))
            runs = self._tracking.describe_finished(self._tracking.last_runs)
            if ABSENT in made.values() or runs is None or any(map(self._has_unread, made)):
                return
            for name in made:
                self._require_own(name)
            finished = datetime.now().strftime("%d %B %Y, %H:%M")
            record: dict[str, Any] = {"finished": finished, "causes": self._causes, "taken": self._taken}
            record |= {"made": made, "runs": runs, "page": self._tracking.last_page}
            write_json(self._file, record)
        except (InputError, OSError) as error:
            logger.debug("Not remembered: %s", error)

    def _end_if_unchanged(self, pipeline: Pipeline) -> None:
        record = _read_record(self._file)
        if not (record and _may_end.get() and self._is_current(record, pipeline)):
            return
        click.echo(
            f"Nothing has changed since {record['finished']}: files, parameters, code and libraries are as they were. "
            f"Nothing was run; with --force it is run all the same."
        )
        show_results(pipeline, self._catalog, record.get("page"))
        raise NothingChanged(0)

    def _is_current(self, record: dict[str, Any], pipeline: Pipeline) -> bool:
        """Return whether everything matches a record, checking the quick parts first."""
        runs = record["runs"]
        return (
            record["causes"] == self._causes
            and record["taken"] == self._describe(_list_taken(pipeline))
            and record["made"] == self._describe(self._list_made(pipeline))
            and as_read_from_json({"runs": self._tracking.describe_finished(list(runs))}) == {"runs": runs}
        )

    def _describe(self, names: Iterable[str]) -> dict[str, str]:
        return {name: describe_content(self._catalog.get(name)) for name in names}

    def _list_made(self, pipeline: Pipeline) -> list[str]:
        """List the pipeline's stored outputs; data passed between nodes in memory follows from the hashed inputs."""
        made = [name for name in _list_data(pipeline) if name not in pipeline.inputs()]
        passing = {name for node in pipeline.nodes for name in node.inputs}
        return [name for name in made if not (name in passing and type(self._catalog.get(name)) in _IN_MEMORY)]

    def _is_of_images(self, name: str) -> bool:
        return isinstance(self._catalog.get(name), RawImagesDataset)

    def _has_unread(self, name: str) -> bool:
        """Return whether a file could not be read, which the same command would try again."""
        dataset = self._catalog.get(name)
        if not isinstance(dataset, PackedImagesDataset):
            return False
        return bool(dataset.load().records["reason"].map(is_unread).any())

    def _require_own(self, name: str) -> None:
        dataset: Any = self._catalog.get(name)
        if hasattr(dataset, "require_own"):
            dataset.require_own()


def _list_data(pipeline: Pipeline) -> list[str]:
    return sorted(name for name in pipeline.datasets() if not name.startswith("params:") and name != "parameters")


def _list_taken(pipeline: Pipeline) -> list[str]:
    return [name for name in _list_data(pipeline) if name in pipeline.inputs()]


def _find_file(context: KedroContext, command: str) -> Path:
    """Return the file of a command's record."""
    return context.project_path / context.config_loader["globals"]["data"] / _FOLDER / f"{command}.json"


def _read_record(file: Path) -> dict[str, Any]:
    """Read a record; empty if it does not exist or cannot be read."""
    try:
        record = read_json(file)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and record.keys() >= _ENTRIES else {}
