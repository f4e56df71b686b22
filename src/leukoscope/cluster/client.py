"""The connection to a cluster: made and checked before anything runs, and told in one line where it fails."""

import logging
import platform
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from leukoscope.cluster.host import Expected
from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

# A scheduler or worker that dies is told by us, in a line.
_LOGGERS = ("distributed", *(f"distributed.{part}" for part in ("client", "nanny", "scheduler", "worker", "core")))
# Processes look at themselves ten to a hundred times a second, for pages of Dask's: on a busy machine a tenth of the
# work. As in ``leukoscope.cluster.plugin``, for workers that were started by others.
_QUIET = {
    "distributed.logging": dict.fromkeys(_LOGGERS, "critical"),
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
}
_NOTHING = "Nothing was run."
_PROBE = ".probe-"
# After so long a probe is one that a killed command has left; workers look at it when they join.
_SECONDS_OF_PROBES = 30 * 24 * 3600


def require_dask() -> None:
    """Make sure that Dask is there; loads none of it.

    Raises:
        InputError: It is not installed.
    """
    if find_spec("distributed") is None:
        raise InputError(
            f"cluster.scheduler or cluster.workers is given, and Dask is not installed. Install it, as with `pip "
            f'install "leukoscope[cluster]"`, or leave both out. {_NOTHING}'
        )


@contextmanager
def connect(options: ClusterOptions, project: Path, data: Path, tracking: str | None = None) -> "Iterator[Client]":
    """Connect to the cluster of the options, or start one on this machine; what was started ends with it.

    Each of its workers has been looked at: it has one thread, the same versions, and sees the project and its data.

    Args:
        options: Which cluster.
        project: The project's folder.
        data: The shared folder of its data.
        tracking: The address of MLflow's records; ``None`` where nothing is tracked.

    Yields:
        Dask's client: ``submit``, ``map`` and the like.

    Raises:
        InputError: Dask is not installed, no scheduler answers, or a worker cannot do the work.
    """
    require_dask()
    import dask
    import distributed  # noqa: F401 (whose own settings would else go with ours)

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dask.config.set(_QUIET), _opening(options) as client, _probing(data) as probe:
        expected = Expected(str(project), str(probe), platform.node(), is_in_file(tracking))
        _require_scheduler(client, options)
        _wait_for_workers(client, options)
        with _registering(client, expected):
            yield client


def require_cluster(options: ClusterOptions, project: Path, data: Path, tracking: str | None = None) -> None:
    """Make sure that a cluster can do the work; one that is yet to be started on this machine needs Dask alone.

    Args:
        options: Which cluster.
        project: The project's folder.
        data: The shared folder of its data.
        tracking: The address of MLflow's records; ``None`` where nothing is tracked.

    Raises:
        InputError: As of ``connect``.
    """
    if options.scheduler is None:
        require_dask()
        return
    with connect(options, project, data, tracking):
        logger.info("The scheduler %s answers", options.scheduler)


def is_in_file(tracking: str | None) -> bool:
    """Tell whether MLflow's records are in a file or folder, and not at a server or in a database of one."""
    return tracking is not None and urlparse(tracking).scheme in ("", "file", "sqlite")


@contextmanager
def _opening(options: ClusterOptions) -> "Iterator[Client]":
    from distributed import Client, LocalCluster

    if options.scheduler is None:
        local = {
            "n_workers": options.workers,
            "threads_per_worker": 1,
            "processes": True,
            "dashboard_address": "127.0.0.1:0",
        }
        with LocalCluster(**local) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(options.scheduler, timeout=options.timeout)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"No scheduler of Dask answers at {options.scheduler} within {options.timeout:g} s. Start one with `dask "
            f"scheduler`, or correct cluster.scheduler. {_NOTHING}"
        ) from error
    with client:
        yield client


@contextmanager
def _probing(data: Path) -> Iterator[Path]:
    """Write a file by which workers tell that they see the same folder."""
    data.mkdir(parents=True, exist_ok=True)
    for old in data.glob(f"{_PROBE}*"):
        if time.time() - old.stat().st_mtime > _SECONDS_OF_PROBES:
            old.unlink(missing_ok=True)
    probe = data / f"{_PROBE}{uuid.uuid4().hex}"
    probe.touch()
    try:
        yield probe
    finally:
        probe.unlink(missing_ok=True)


def _require_scheduler(client: "Client", options: ClusterOptions) -> None:
    """Make sure that the scheduler can read the project's tasks, for which it imports what they call."""
    from leukoscope import __version__
    from leukoscope.cluster.plugin import look_at_scheduler

    try:
        version = client.run_on_scheduler(look_at_scheduler)
    except Exception as error:
        raise InputError(
            f"The scheduler {options.scheduler} cannot use Leukoscope: {_shorten(error)}. Start it in an environment "
            f"in which Leukoscope is installed. {_NOTHING}"
        ) from error
    if version != __version__:
        raise InputError(
            f"The scheduler {options.scheduler} has Leukoscope {version}, and this command has {__version__}. Install "
            f"the same. {_NOTHING}"
        )


def _wait_for_workers(client: "Client", options: ClusterOptions) -> None:
    wanted = options.workers or 0
    try:
        if wanted:
            client.wait_for_workers(wanted, timeout=options.timeout)
    except TimeoutError as error:
        there = len(list_workers(client))
        raise InputError(
            f"{there} of {wanted} workers were at {options.scheduler} within {options.timeout:g} s. Start more with "
            f"`dask worker {options.scheduler} --nthreads 1`, lower cluster.workers, or wait longer by "
            f"cluster.timeout. {_NOTHING}"
        ) from error
    if not list_workers(client):
        logger.warning("No worker is at %s yet: work begins when one has come", options.scheduler)


def list_workers(client: "Client") -> dict[str, dict[str, Any]]:
    """Give what the scheduler knows of each worker, by address."""
    return dict(client.scheduler_info(n_workers=-1)["workers"])


@contextmanager
def _registering(client: "Client", expected: Expected) -> Iterator[None]:
    """Look at the workers, and let those that come later be looked at for as long as the command is there."""
    from leukoscope.cluster.plugin import ProjectPlugin, look_at_worker

    try:
        looks = client.run(look_at_worker, expected)
    except Exception as error:
        raise InputError(
            f"A worker cannot use Leukoscope: {_shorten(error)}. Start workers in an environment in which Leukoscope "
            f"is installed. {_NOTHING}"
        ) from error
    for address, look in looks.items():
        if look.fault is not None:
            raise InputError(f"The worker {address} cannot work for this project: {look.fault}. {_NOTHING}")
    plugin = ProjectPlugin(client.id, expected, Counter(look.cores for look in looks.values()))
    client.register_plugin(plugin)
    try:
        yield
    finally:
        if client.status == "running":
            with suppress(OSError, CancelledError, ValueError):  # a lost scheduler has forgotten it
                client.unregister_worker_plugin(plugin.name)


def _shorten(error: Exception) -> str:
    from leukoscope.core.errors import shorten

    return shorten(" ".join(f"{type(error).__name__}: {error}".split())).rstrip(".")
