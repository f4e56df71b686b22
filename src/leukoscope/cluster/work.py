"""What a worker's process knows while it works: its share of the machine, and that it is to stop."""

import threading

# Set when the worker is closed; whoever waits for something else in a task looks at it.
_closing = threading.Event()
_cores: list[int] = [0]


def begin(cores: int) -> None:
    """Take up work in this process.

    Args:
        cores: Its share of the machine's.
    """
    _cores[:] = [cores]
    _closing.clear()


def stop() -> None:
    """Let all tasks of this process end what they wait for."""
    _closing.set()


def count_own_cores() -> int:
    """Count the cores that are this process' share; 0 where it is no worker's."""
    return _cores[0]


def is_to_stop() -> bool:
    """Tell a task whether it is to end: its worker is closed, or nobody waits for its result any more."""
    return _closing.is_set() or _is_cancelled()


def _is_cancelled() -> bool:
    """Ask the worker's own record of the task: a thread cannot be interrupted, and so has to look."""
    from distributed.worker import get_worker, thread_state

    key = getattr(thread_state, "key", None)
    if key is None:
        return False
    task = get_worker().state.tasks.get(key)
    return task is None or task.state in ("cancelled", "resumed")
