"""What each worker is given when it joins. Only those who have Dask import this."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from distributed import Status, WorkerPlugin

from leukoscope import __version__
from leukoscope.cluster import work
from leukoscope.cluster.host import Cores, Expected, find_fault, keep_freed_memory, tell_cores
from leukoscope.core.cores import list_cores

_NAME = "leukoscope-"
# How often a worker looks at itself: the time of its loop, its memory, and the machine.
_MILLISECONDS = {"tick": 500, "memory_monitor": 1000, "monitor": 5000}


class ProjectPlugin(WorkerPlugin):
    """Gives a worker its share of the machine, and ends what its tasks have started when it is closed.

    One that joins later, which nobody has looked at, is closed where it cannot do the project's work. Each command has
    a plugin of its own: what one of them expects holds no longer than it, and is no other's.

    Args:
        client: The id of the command's client.
        expected: What must be the same as where the command runs.
        sharing: How many workers there are that have the same cores of the same machine.
    """

    def __init__(self, client: str, expected: Expected, sharing: Mapping[Cores, int]) -> None:
        self.name = f"{_NAME}{client}"
        self._expected = expected
        self._sharing = dict(sharing)

    def setup(self, worker: Any) -> None:
        """Look at the machine; a worker that cannot do the work is closed, and its tasks go to others."""
        fault = find_fault(self._expected, worker.state.nthreads)
        if fault is not None:
            work.stop()
            worker.loop.add_callback(worker.close, reason=fault)
            return
        _calm(worker)
        keep_freed_memory()
        others = max(self._sharing.values(), default=1)
        work.begin(max(1, len(list_cores()) // self._sharing.get(tell_cores(), others)))

    def teardown(self, worker: Any) -> None:
        """End what tasks have started, if the worker is closed, and not only a command at its end."""
        if worker.status not in (Status.running, Status.paused):
            work.stop()


def _calm(worker: Any) -> None:
    """Let a worker look at itself less often: a hundred times a second took a share of the work, on a busy machine."""
    callbacks = worker.periodic_callbacks
    for name in callbacks.keys() & {"profile", "profile-cycle"}:
        callbacks[name].stop()
    for name in callbacks.keys() & _MILLISECONDS.keys():
        callbacks[name].callback_time = _MILLISECONDS[name]


class Look(NamedTuple):
    """What a worker says of itself.

    Attributes:
        fault: Why it cannot do the project's work; ``None`` if it can.
        cores: Its machine and its cores, which others may have too.
    """

    fault: str | None
    cores: Cores


def look_at_worker(expected: Expected, dask_worker: Any) -> Look:
    """Look at the worker that runs this.

    Args:
        expected: What must be the same.
        dask_worker: The worker, which Dask itself gives.
    """
    return Look(find_fault(expected, dask_worker.state.nthreads), tell_cores())


def look_at_scheduler(dask_scheduler: Any) -> str:
    """Give the scheduler's version of Leukoscope; what killed commands left there is forgotten on the way.

    Their plugins expect of workers what may not be there any more.

    Args:
        dask_scheduler: The scheduler that runs this, which Dask itself gives.
    """
    for name in list(dask_scheduler.worker_plugins):
        if name.startswith(_NAME) and name.removeprefix(_NAME) not in dask_scheduler.clients:
            del dask_scheduler.worker_plugins[name]
    return __version__
