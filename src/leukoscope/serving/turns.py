"""Short tasks of several requests, done one at a time and in turn."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LateError(Exception):
    """A task was not done in time."""


class Turns:
    """A thread that does tasks in the order in which they are asked for.

    A caller that has many asks for the next one when the last is done, so that the tasks of several callers alternate,
    and one who has a single task waits for a single one of each of the others.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._worker = ThreadPoolExecutor(1, name)

    def run(self, deadline: float | None, task: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do a task when its turn comes.

        Args:
            deadline: Of ``time.monotonic``, in seconds; ``None``: wait for as long as it takes.
            task: To be done.
            arguments: Of the task.
            named: Of the task.

        Raises:
            LateError: It was not done by then. It is not begun any more, though it may be at work.
        """
        future = self._worker.submit(task, *arguments, **named)
        try:
            return future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            if future.done() and not future.cancelled():  # the error is the task's own, or it ended just now
                return future.result()
            future.cancel()
            raise LateError from error
