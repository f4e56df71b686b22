"""Run units as tasks of a Dask cluster whose workers see the same files."""

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

# Number of workers that may die with a unit before it is given up.
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

    Tasks belong to this command: remains of a killed command in the scheduler are never mistaken for them. A unit's
    workspace is locked, so that two commands do not run it twice. If a worker dies, its unit restarts on another
    worker, after its last complete epoch.

    Args:
        client: The Dask client, as returned by ``leukoscope.cluster.client.connect``.
        job: What the units have in common.
        task: Function that a worker calls with a unit.
    """

    def __init__(self, client: "Client", job: Job, task: Task | None = None) -> None:
        self._client = client
        self._job = job
        self._task = task or run_task
        self._study = uuid.uuid4().hex

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Run units, and yield the outcome of each when it has ended.

        Raises:
            InputError: The connection to the scheduler is lost.
        """
        from distributed import as_completed

        # Include the entry in the key, since units of two identical entries are different units.
        of_keys = {f"unit-{unit.entry}-{unit.identity}-{self._study}": unit for unit in units}
        waiting = as_completed(self._submit(of_keys))
        for ended in waiting.batches():  # one query to the scheduler per batch: thousands of single ones take minutes
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
        """Submit units to the scheduler, for GPUs if any worker has announced one."""
        from leukoscope.cluster.client import list_workers

        with telling_of_loss(self._client, _LOST):
            workers = list_workers(self._client).values()
            needed = {_RESOURCE: 1} if any(worker.get("resources", {}).get(_RESOURCE) for worker in workers) else None
            common: dict[str, Any] = {"job": self._job, "study": self._study, "resources": needed, "pure": False}
            return self._client.map(self._task, list(units.values()), key=list(units), **common)

    def _explain(self, future: "Future", unit: Unit) -> Outcome | None:
        """Explain why a task did not finish; ``None`` if it should be submitted again.

        Raises:
            InputError: The connection to the scheduler is lost.
        """
        from distributed import KilledWorker

        if future.cancelled() or self._client.status != "running":
            raise InputError(_LOST)
        error = future.exception()
        if isinstance(error, KilledWorker):
            return self._count_deaths(unit)
        if isinstance(error, StoppedError):  # the worker was closed, or the client is gone
            return None
        return Outcome(unit, None, shorten(" ".join(f"{type(error).__name__}: {error}".split()), _LONGEST), 0.0)

    def _count_deaths(self, unit: Unit) -> Outcome | None:
        """Tell a unit that kills its workers from one that was merely running when they died."""
        workspace = Workspace(self._job.ledger.data, unit)
        if workspace.count_starts(self._study) < ALLOWED_DEATHS:
            return None
        workspace.forget_starts()
        return give_up(unit)


class Cluster:
    """Runs units on a cluster, connecting to it only if there are any units.

    Args:
        opening: Connects to the cluster.
        job: What the units have in common.
    """

    def __init__(self, opening: "Callable[[], AbstractContextManager[Client]]", job: Job) -> None:
        self._opening = opening
        self._job = job

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Run units, and yield the outcome of each when it has ended, like ``Dask``."""
        with self._opening() as client:
            yield from Dask(client, self._job).run(units)


def give_up(unit: Unit) -> Outcome:
    """Return the failed outcome of a unit that has killed its workers."""
    reason = f"{ALLOWED_DEATHS} workers died while they made it, which is often a lack of memory"
    return Outcome(unit, None, reason, 0.0)


def run_task(unit: Unit, job: Job, study: str) -> Outcome:
    """Run a unit in a worker's process; stop its command if its result is no longer needed.

    Args:
        unit: The unit.
        job: What the unit has in common with others.
        study: Identifies the command that requested it.

    Raises:
        StoppedError: The unit was stopped early.
    """
    from leukoscope.cluster import work

    workspace = Workspace(job.ledger.data, unit)
    if workspace.count_starts(study) >= ALLOWED_DEATHS:
        workspace.forget_starts()
        return give_up(unit)
    variables: dict[str, Any] = limit_threads(work.count_own_cores() or 1)
    return make_unit(job, unit, work.is_to_stop, variables, study)
