"""The number of cores that this process may use."""

import os

_share: list[int] = []
# The variables that libraries read when they are loaded.
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
    """Count the cores that this process may use: its share, if it has one."""
    if _share:
        return _share[0]
    return len(list_cores())


def list_cores() -> tuple[int, ...]:
    """List the cores available to this process; a container or batch system may grant fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def get_share() -> int | None:
    """Return the number of cores assigned to this process; ``None`` if it may use all of the machine."""
    return _share[0] if _share else None


def take_share(cores: int) -> None:
    """Limit this process, one of several on the machine, to a number of cores.

    Libraries loaded later respect the limit; those already loaded keep their threads.

    Args:
        cores: The number of cores.
    """
    _share[:] = [cores]
    os.environ.update(limit_threads(cores))


def limit_threads(cores: int) -> dict[str, str]:
    """Return the environment variables that limit a process's cores; Dask sets some of them to 1 in its workers.

    Args:
        cores: The number of cores.
    """
    return dict.fromkeys(_VARIABLES, str(cores))
