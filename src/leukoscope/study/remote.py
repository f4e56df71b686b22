"""Units as tasks of a Dask cluster, whose workers see the same files."""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from leukoscope.cluster.loss import telling_of_loss
from leukoscope.core.cores import limit_threads
from leukoscope.core.errors import InputError, shorten
from leukoscope.study.commands import StoppedError
from leukoscope.study.plan import Unit
from leukoscope.study.unit import Job, Outcome, make_unit
from leukoscope.study.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

# So many workers a unit may take with it before it is given up.
ALLOWED_DEATHS = 3
_RESOURCE = "GPU"
Task = Callable[[Unit, Job, str], Outcome]
_LONGEST = 300
_LOST = (
    "The scheduler of Dask is lost. What units have done is kept: start it and its workers again, and the same command "
    "goes on."
)


class Dask:
    """Runs units on the workers of a cluster, each as a child process of the worker.

    Tasks are this command's own: what the scheduler keeps of one that was killed is never taken for its. A unit's
    workspace is locked, so that two commands do not make it twice. A worker that dies takes its unit with it, which
    then begins on another one, after its last whole epoch.

    Args:
        client: Dask's, as ``leukoscope.cluster.client.connect`` gives it.
        job: What the units have in common.
        task: What a worker does with a unit.
    """

    def __init__(self, client: "Client", job: Job, task: Task | None = None) -> None:
        self._client = client
        self._job = job
        self._task = task or run_task
        self._study = uuid.uuid4().hex

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Run units, and tell of each when it has ended.

        Raises:
            InputError: The scheduler is lost.
        """
        from distributed import as_completed

        # By their entries too: those of two that are alike are two units.
        of_keys = {f"unit-{unit.entry}-{unit.identity}-{self._study}": unit for unit in units}
        waiting = as_completed(self._submit(of_keys))
        for ended in waiting.batches():  # a question to the scheduler each: thousands of single ones take minutes
            lost = {future.key: of_keys[future.key] for future in ended if future.status != "finished"}
            with telling_of_loss(self._client, _LOST):
                outcomes = self._client.gather([future for future in ended if future.key not in lost])
            yield from outcomes
            again = {}
            for future in (future for future in ended if future.key in lost):
                outcome = self._explain(future, lost[future.key])
                if outcome is None:
                    again[future.key] = lost[future.key]
                    future.release()
                else:
                    yield outcome
            if again:
                waiting.update(self._submit(again))

    def _submit(self, units: dict[str, Unit]) -> "list[Future]":
        """Hand units to the scheduler; on GPUs where any worker has said that it has one."""
        from leukoscope.cluster.client import list_workers

        with telling_of_loss(self._client, _LOST):
            workers = list_workers(self._client).values()
            needed = {_RESOURCE: 1} if any(worker.get("resources", {}).get(_RESOURCE) for worker in workers) else None
            common: dict[str, Any] = {"job": self._job, "study": self._study, "resources": needed, "pure": False}
            return self._client.map(self._task, list(units.values()), key=list(units), **common)

    def _explain(self, future: "Future", unit: Unit) -> Outcome | None:
        """Say why a task did not come to its end; ``None`` where it is to be handed in again.

        Raises:
            InputError: The scheduler is lost.
        """
        from distributed import KilledWorker

        if future.cancelled() or self._client.status != "running":
            raise InputError(_LOST)
        error = future.exception()
        if isinstance(error, KilledWorker):
            return self._count_deaths(unit)
        if isinstance(error, StoppedError):  # of a worker that was closed, or for a client that is gone
            return None
        return Outcome(unit, None, shorten(" ".join(f"{type(error).__name__}: {error}".split()), _LONGEST), 0.0)

    def _count_deaths(self, unit: Unit) -> Outcome | None:
        """Tell a unit that takes workers with it from one that was on them when they died."""
        workspace = Workspace(self._job.ledger.data, unit)
        if workspace.count_starts(self._study) < ALLOWED_DEATHS:
            return None
        workspace.forget_starts()
        return give_up(unit)


class Cluster:
    """Runs units on a cluster that it connects to when there are any.

    Args:
        opening: Connects to it.
        job: What the units have in common.
    """

    def __init__(self, opening: "Callable[[], AbstractContextManager[Client]]", job: Job) -> None:
        self._opening = opening
        self._job = job

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Run units, and tell of each when it has ended; as of ``Dask``."""
        with self._opening() as client:
            yield from Dask(client, self._job).run(units)


def give_up(unit: Unit) -> Outcome:
    """Make of a unit that has killed its workers a failed one."""
    reason = f"{ALLOWED_DEATHS} workers died while they made it, which is often a lack of memory"
    return Outcome(unit, None, reason, 0.0)


def run_task(unit: Unit, job: Job, study: str) -> Outcome:
    """Make a unit in a worker's process; ends its command where nobody waits for it any more.

    Args:
        unit: Which.
        job: What it has in common with others.
        study: Which command has asked for it.

    Raises:
        StoppedError: It was ended before its time.
    """
    from leukoscope.cluster import work

    workspace = Workspace(job.ledger.data, unit)
    if workspace.count_starts(study) >= ALLOWED_DEATHS:
        workspace.forget_starts()
        return give_up(unit)
    variables: dict[str, Any] = limit_threads(work.count_own_cores() or 1)
    return make_unit(job, unit, work.is_to_stop, variables, study)
