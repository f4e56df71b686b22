"""What a process of a cluster says of itself, and why it cannot do the project's work."""

import ctypes
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from leukoscope import __version__
from leukoscope.core.cores import list_cores

Cores = tuple[str, tuple[int, ...]]
# Of glibc's mallopt(3): how much freed memory is kept, from which size on it comes from the system each time, and how
# far both go of themselves where nobody has set either.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_TRIM_BYTES = 2**26
_MMAP_BYTES = 2**25


class Expected(NamedTuple):
    """What must be the same wherever the work of a command is done.

    Attributes:
        project: The project's folder.
        probe: A file of a name of its own, which the command has just written into the shared data.
        node: The name of the machine on which the command runs.
        is_tracked_here: Whether MLflow's records are in a file, which only this machine may write.
        version: Of Leukoscope.
        python: Of Python, without its last number.
    """

    project: str
    probe: str
    node: str
    is_tracked_here: bool
    version: str = __version__
    python: tuple[int, int] = sys.version_info[:2]


def tell_cores() -> Cores:
    """Name the machine and the cores of this process: others that name the same divide them with it."""
    return platform.node(), list_cores()


def find_fault(expected: Expected, threads: int) -> str | None:
    """Find why this process cannot do the project's work; ``None`` if it can.

    Args:
        expected: What must be the same.
        threads: Of the worker.
    """
    if threads != 1:
        return f"it has {threads} threads, and seed, precision and MLflow's run are one a process: use --nthreads 1"
    if sys.version_info[:2] != tuple(expected.python) or __version__ != expected.version:
        here, there = (".".join(map(str, python)) for python in (sys.version_info[:2], expected.python))
        return (
            f"it has Leukoscope {__version__} under Python {here}, and the command has {expected.version} under "
            f"{there}: install the same"
        )
    if not Path(expected.project).is_dir():
        return f"it has no folder {expected.project}, in which the project is: share it, at the same path"
    if not Path(expected.probe).is_file():
        return f"it does not see what is written to {Path(expected.probe).parent}: share that folder, at the same path"
    if expected.is_tracked_here and platform.node() != expected.node:
        return (
            "it is another machine, and MLflow's records are in a file, which only one machine may write: start a "
            "server (`mlflow server`), and set MLFLOW_TRACKING_URI to its address"
        )
    return None


def keep_freed_memory() -> None:
    """Let this process use freed memory again.

    Dask starts its workers with ``MALLOC_TRIM_THRESHOLD_=65536``, upon which the memory of each image goes back to the
    system and comes anew, page by page: a fifth of the time of decoding. Without glibc nothing is done.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
