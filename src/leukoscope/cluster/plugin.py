"""What each worker is given when it joins. Only those who have Dask import this."""

from collections.abc import Mapping
from typing import Any

from distributed import WorkerPlugin

from leukoscope.cluster import work
from leukoscope.cluster.host import Expected, count_cores, find_fault
from leukoscope.core.errors import InputError


class ProjectPlugin(WorkerPlugin):
    """Refuses a worker that cannot do the project's work, and ends what its tasks have started when it is closed.

    A worker that joins later is looked at too, and does not start where it cannot do the work.

    Args:
        expected: What must be the same as where the command runs.
        sharing: How many workers there are at each address of a machine.
    """

    name = "leukoscope"

    def __init__(self, expected: Expected, sharing: Mapping[str, int]) -> None:
        self._expected, self._sharing = expected, dict(sharing)

    def setup(self, worker: Any) -> None:
        """Look at the machine.

        Raises:
            InputError: The worker cannot do the work.
        """
        fault = find_fault(self._expected, worker.state.nthreads)
        if fault is not None:
            raise InputError(f"The worker {worker.address} cannot work for this project: {fault}. Nothing was run.")
        others = max(self._sharing.values(), default=1)
        work.begin(max(1, count_cores() // self._sharing.get(find_machine(worker.address), others)))

    def teardown(self, worker: Any) -> None:
        """End what tasks have started."""
        work.stop()


def find_machine(address: str) -> str:
    """Give the machine's part of a worker's address, like ``10.0.0.7`` of ``tcp://10.0.0.7:41235``."""
    return address.rpartition("://")[2].rpartition(":")[0]
