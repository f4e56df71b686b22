"""Run short tasks of several requests one at a time, in turn."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LateError(Exception):
    """A task was not done in time."""


class Turns:
    """A thread that runs tasks in the order in which they are submitted.

    A caller with many tasks submits each after the previous one is done. The tasks of several callers thus alternate,
    and a caller with a single task waits for at most one task of each other caller.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._worker = ThreadPoolExecutor(1, name)

    def run(self, deadline: float | None, task: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a task when its turn comes.

        Args:
            deadline: Deadline in seconds of ``time.monotonic``; ``None``: wait for as long as it takes.
            task: The task to run.
            arguments: Positional arguments of the task.
            named: Keyword arguments of the task.

        Raises:
            LateError: The task was not done by the deadline. It is no longer started, but may already be running.
        """
        future = self._worker.submit(task, *arguments, **named)
        try:
            return future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            if future.done() and not future.cancelled():  # the task itself raised the error, or it ended just now
                return future.result()
            future.cancel()
            raise LateError from error
