"""A command that would only do again what is done ends at once, and says so."""

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

_IN_MEMORY = (MemoryDataset, NoneType)  # before a run Kedro's catalog knows nothing of what it will keep in memory
_ENTRIES = {"finished", "causes", "taken", "made", "runs"}
_FOLDER = ".finished"  # in the folder of an environment's data
_may_end: ContextVar[bool] = ContextVar("may_end", default=False)


class NothingChanged(click.exceptions.Exit):
    """All that a command would make is there, made of what is there now."""


@contextmanager
def ending_if_unchanged(may_end: bool) -> Iterator[None]:
    """Let runs end at once where nothing has changed; those that are not inside always run.

    Args:
        may_end: Whether they may.
    """
    token = _may_end.set(may_end)
    try:
        yield
    finally:
        _may_end.reset(token)


class UnchangedHook:
    """Remembers of what a run made what, and ends the next one if all of that is as it was.

    What a run takes is looked at before it is read, and what it makes after it was written: what changes in between
    does not fit the record, and is run again. Where the content of a data set cannot be told, as of MLflow's registry,
    nothing is remembered.

    Args:
        tracking: Knows which runs MLflow has of the command.
    """

    def __init__(self, tracking: TrackingHook) -> None:
        self._tracking = tracking
        self._taken: dict[str, str] | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context."""
        self._context = context

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Compare everything with the record of the last run of this command.

        Raises:
            NothingChanged: It is the same.
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
        except OSError as error:  # the run itself says better what cannot be read or written
            logger.debug("Not to be remembered: %s", error)

    @hook_impl
    def before_node_run(self) -> None:
        """Forget the last run as soon as something may change; before that a run may still be refused."""
        if self._taken is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str) -> None:
        """Look at raw images once they are listed and before they are read: the demo draws them only now."""
        if self._taken is not None and self._is_of_images(dataset_name):
            self._taken |= self._describe([dataset_name])

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline) -> None:
        """Remember the run, if all that it should have made is there and is its own."""
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
        """Tell whether all is as a record says, what is quick to see first."""
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
        """List what the pipeline makes and keeps; what one node only hands to another is made of what is looked at."""
        made = [name for name in _list_data(pipeline) if name not in pipeline.inputs()]
        passing = {name for node in pipeline.nodes for name in node.inputs}
        return [name for name in made if not (name in passing and type(self._catalog.get(name)) in _IN_MEMORY)]

    def _is_of_images(self, name: str) -> bool:
        return isinstance(self._catalog.get(name), RawImagesDataset)

    def _has_unread(self, name: str) -> bool:
        """Tell whether a file could not be read, which the same command tries again."""
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
    """Give the file of a command's record."""
    return context.project_path / context.config_loader["globals"]["data"] / _FOLDER / f"{command}.json"


def _read_record(file: Path) -> dict[str, Any]:
    """Read a record; none where there is none, or none that can be read."""
    try:
        record = read_json(file)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and record.keys() >= _ENTRIES else {}
