"""How many cores this process may use."""

import os

_share: list[int] = []
# What libraries read when they are loaded.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def count_cores() -> int:
    """Count the cores that this process may use: its share, where it was given one."""
    if _share:
        return _share[0]
    # A container or batch system may lend fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    os.environ.update(dict.fromkeys(_VARIABLES, str(cores)))
