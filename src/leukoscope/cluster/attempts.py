"""Work on parts in a worker's process."""

import logging
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from leukoscope.cluster import work
from leukoscope.core.cores import count_cores, take_share
from leukoscope.core.errors import shorten
from leukoscope.core.faults import explain
from leukoscope.core.parting import MOST_TRIES, begin_try

logger = logging.getLogger(__name__)

# A worker returns the parts that it has not begun after this time.
_SECONDS_OF_TASK = 0.5
_at_work = threading.Lock()


class Attempt(NamedTuple):
    """A worker's result for one part.

    Attributes:
        result: The return value of the work.
        lost: Whether the part was not begun because it had already killed too many workers.
        fault: Why no worker can do it, in one line.
    """

    result: Any = None
    lost: bool = False
    fault: str | None = None


class Answer(NamedTuple):
    """A worker's results for parts that were sent together.

    Attributes:
        attempts: One per part, up to the part at which time was up.
        is_quick: Whether the worker had time for more parts.
    """

    attempts: list[Attempt]
    is_quick: bool


def attempt(payload: bytes, tries: Sequence[str]) -> Answer:
    """Work on some parts in a worker's process, one at a time, until time is up.

    Args:
        payload: The function and its tasks, pickled, so the scheduler need not import them.
        tries: For each part, the file that counts the workers it has killed.
    """
    with _at_work:
        began = time.monotonic()
        attempts = list[Attempt]()
        try:
            take_share(work.count_own_cores() or count_cores())
            function, tasks = pickle.loads(payload)
        except Exception as error:
            return Answer([_fail(error)], False)
        for task, file in zip(tasks, tries, strict=True):
            try:
                attempts.append(_attempt_one(function, task, Path(file)))
            except OSError as error:  # of the file of tries; raised, it would be taken for a broken connection
                attempts.append(_fail(error))
            if attempts[-1].fault is not None or time.monotonic() - began > _SECONDS_OF_TASK:
                break
        return Answer(attempts, time.monotonic() - began < _SECONDS_OF_TASK / 2)


def _attempt_one(function: Callable[[Any], Any], task: Any, tries: Path) -> Attempt:
    if begin_try(tries) >= MOST_TRIES:
        return Attempt(lost=True)
    try:
        return Attempt(function(task))
    except Exception as error:
        return _fail(error)
    finally:
        tries.unlink(missing_ok=True)


def _fail(error: Exception) -> Attempt:
    logger.exception("A part cannot be done")
    return Attempt(fault=describe(error))


def describe(error: Exception) -> str:
    """Describe in one line why a part cannot be done."""
    mendable = explain(error)
    if mendable is not None:
        return mendable.message
    text = shorten(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}. This is a fault of the software; the worker's log has more"
