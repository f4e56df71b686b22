"""What each worker is given when it joins. Only those who have Dask import this."""

from collections.abc import Mapping
from typing import Any

from distributed import Status, WorkerPlugin

from leukoscope.cluster import work
from leukoscope.cluster.host import Cores, Expected, find_fault, tell_cores
from leukoscope.core.cores import list_cores

_NAME = "leukoscope-"
_MILLISECONDS_OF_TICKS = 500


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
        self._expected, self._sharing = expected, dict(sharing)

    def setup(self, worker: Any) -> None:
        """Look at the machine; a worker that cannot do the work is closed, and its tasks go to others."""
        fault = find_fault(self._expected, worker.state.nthreads)
        if fault is not None:
            work.stop()
            worker.loop.add_callback(worker.close, reason=fault)
            return
        _calm(worker)
        others = max(self._sharing.values(), default=1)
        work.begin(max(1, len(list_cores()) // self._sharing.get(tell_cores(), others)))

    def teardown(self, worker: Any) -> None:
        """End what tasks have started, if the worker is closed, and not only a command at its end."""
        if worker.status not in (Status.running, Status.paused):
            work.stop()


def _calm(worker: Any) -> None:
    """Let a worker look at itself less often: a hundred times a second took a share of the work, on a busy machine."""
    callbacks = worker.periodic_callbacks
    for name in ("profile", "profile-cycle"):
        if name in callbacks:
            callbacks[name].stop()
    callbacks["tick"].callback_time = _MILLISECONDS_OF_TICKS


def tell_fault(expected: Expected, dask_worker: Any) -> str | None:
    """Tell why the worker that runs this cannot do the project's work; ``None`` if it can.

    Args:
        expected: What must be the same.
        dask_worker: The worker, which Dask itself gives.
    """
    return find_fault(expected, dask_worker.state.nthreads)


def forget_ended(dask_scheduler: Any) -> None:
    """Forget the plugins of commands that were killed: what they expect may not be there any more.

    Args:
        dask_scheduler: The scheduler that runs this, which Dask itself gives.
    """
    for name in list(dask_scheduler.worker_plugins):
        if name.startswith(_NAME) and name.removeprefix(_NAME) not in dask_scheduler.clients:
            del dask_scheduler.worker_plugins[name]
