"""How many cores this process may use."""

import os

_share: list[int] = []
# What libraries read when they are loaded.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def count_cores() -> int:
    """Count the cores that this process may use: its share, where it was given one."""
    if _share:
        return _share[0]
    return len(list_cores())


def list_cores() -> tuple[int, ...]:
    """List the cores that are lent to this process: a container or batch system may lend fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def get_share() -> int | None:
    """Give this process' share of the machine; ``None`` where it was given none, and has all of it."""
    return _share[0] if _share else None


def take_share(cores: int) -> None:
    """Let this process, one of several on a machine, use so many cores.

    Libraries that are loaded later keep to it; those that are loaded keep the threads that they have.

    Args:
        cores: Its share.
    """
    _share[:] = [cores]
    os.environ.update(limit_threads(cores))


def limit_threads(cores: int) -> dict[str, str]:
    """Give the variables that keep a process to so many cores; Dask sets some of them to 1 in its workers.

    Args:
        cores: Its share.
    """
    return dict.fromkeys(_VARIABLES, str(cores))
