"""Parts of work on a cluster: as many at a time as keep its workers busy, and none more often than it can bear."""

import logging
import pickle
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leukoscope.cluster import work
from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.cores import count_cores, take_share
from leukoscope.core.errors import InputError, shorten
from leukoscope.core.faults import explain
from leukoscope.core.parting import MOST_TRIES, Outcome, Part, Place, begin_try, count_tries
from leukoscope.core.session import find_project

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

# Parts that wait at each worker while it is busy with another.
_WAITING = 1
# Parts that take no time are sent together, at most so many, and a worker gives back what it has not begun by then.
_MOST_TOGETHER, _SECONDS_OF_TASK = 64, 0.5
_SECONDS_TO_LOOK = 2.0
_SECONDS_TO_WARN = 60
# A part of which Dask says that it has ended workers, though it had not begun, is sent so many times.
_MOST_SENT = 10
_LOST = f"a worker process ended each of the {MOST_TRIES} times that their part was begun"
_AGAIN = "What was finished is kept, and the same command goes on from there."
_GONE = f"The scheduler of the cluster is gone. Start it and its workers again. {_AGAIN}"
_at_work = threading.Lock()


class Attempt(NamedTuple):
    """What a worker says of a part.

    Attributes:
        result: What the work gave.
        lost: Whether it was not begun, since it had ended too many workers.
        fault: Why no worker can do it, in a line.
    """

    result: Any = None
    lost: bool = False
    fault: str | None = None


class Answer(NamedTuple):
    """What a worker says of parts that it was sent together.

    Attributes:
        attempts: Of each part, up to the one at which time was up.
        is_quick: Whether it could have had more of them.
    """

    attempts: list[Attempt]
    is_quick: bool


def attempt(payload: bytes, tries: Sequence[str]) -> Answer:
    """Do the work of some parts in a worker's process, one at a time, and no more of them when time is up.

    Args:
        payload: The work and its tasks; pickled, so that the scheduler need not know what they are made of.
        tries: The files that say how many workers each part has ended.
    """
    with _at_work:
        began, attempts = time.monotonic(), list[Attempt]()
        try:
            take_share(work.count_own_cores() or count_cores())
            function, tasks = pickle.loads(payload)
        except Exception as error:
            return Answer([_fail(error)], False)
        for task, file in zip(tasks, tries, strict=True):
            attempts.append(_attempt_one(function, task, Path(file)))
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
    return Attempt(fault=_describe(error))


def _describe(error: Exception) -> str:
    mendable = explain(error)
    if mendable is not None:
        return mendable.message
    text = shorten(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}. This is a fault of the software; the worker's log has more"


@contextmanager
def open_place(options: ClusterOptions, data: Path) -> Iterator[Place]:
    """Connect to a cluster for work by parts.

    Args:
        options: Which.
        data: A folder that all of its workers see.

    Raises:
        InputError: It cannot be had.
    """
    from leukoscope.cluster.client import connect

    with connect(options, find_project(), data) as client:
        yield Workers(client)


def choose_size(size: int, answer: Answer) -> int:
    """Choose how many parts the next task has: twice as many while they take no time, else as many as were done."""
    done = len(answer.attempts)
    return min(_MOST_TOGETHER, max(size, 2 * done)) if answer.is_quick else max(1, done)


class Workers:
    """The workers of a Dask cluster, as a place for parts.

    Args:
        client: Dask's client.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client
        # What the scheduler keeps of a command that was killed, and takes for alive, is never taken for this one's.
        self._command = uuid.uuid4().hex[:8]
        self._runs = count()
        self._count, self._counted, self._seen = 0, -_SECONDS_TO_LOOK, time.monotonic()

    def __len__(self) -> int:
        """Tell how many workers there are, or were a moment ago."""
        now = time.monotonic()
        if now - self._counted >= _SECONDS_TO_LOOK:
            with suppress(OSError, TimeoutError):
                self._count = len(self._client.nthreads())
            self._counted = now
            self._seen = now if self._count else self._seen
        return self._count

    def carry_out(self, work: Callable[[Any], Any], parts: Iterable[Part]) -> Iterator[Outcome]:
        """Let workers do some work with each part; as ``Place`` has it."""
        yield from _Run(self._client, self, f"{self._command}{next(self._runs)}", work, parts).carry_out()

    def warn_of_none(self) -> None:
        """Say now and then that nobody works: jobs may wait in a queue for hours, and are waited for."""
        if not len(self) and time.monotonic() - self._seen > _SECONDS_TO_WARN:
            self._seen = time.monotonic()
            logger.warning("The cluster has no worker now, and work is left: it goes on when one has come")


class _Sent(NamedTuple):
    """Parts that were sent to the scheduler as one task.

    Attributes:
        parts: Which.
        times: How often.
    """

    parts: list[Part]
    times: int = 0


class _Run:
    """One work with many parts.

    A task of Dask has one part, and more of those that take no time: it costs client and scheduler some milliseconds.

    Args:
        client: Dask's client.
        workers: Who works.
        name: Tells its tasks from all others.
        work: What is done with each part.
        parts: All of them.
    """

    def __init__(
        self, client: "Client", workers: Workers, name: str, work: Callable[[Any], Any], parts: Iterable[Part]
    ) -> None:
        self._client, self._workers, self._name, self._work = client, workers, name, work
        self._parts, self._returned = iter(parts), deque[Part]()
        self._pending, self._numbers, self._together = dict[Any, _Sent](), count(), 1

    def carry_out(self) -> Iterator[Outcome]:
        try:
            while True:
                for _ in range(max(1, len(self._workers)) * (1 + _WAITING) - len(self._pending)):
                    if parts := self._take():
                        self._send(_Sent(parts))
                if not self._pending:
                    return
                for future in self._wait():
                    yield from self._finish(future)
        finally:
            with suppress(Exception):  # a lost scheduler has nothing to cancel
                self._client.cancel(list(self._pending))

    def _take(self) -> list[Part]:
        """Take the next parts for a task, at first those that were given back."""
        given_back = (self._returned.popleft() for _ in range(len(self._returned)))
        return list(islice(chain(given_back, self._parts), self._together))

    def _send(self, sent: _Sent) -> None:
        payload = pickle.dumps((self._work, [part.task for part in sent.parts]))
        tries = [str(part.tries) for part in sent.parts]
        key = f"{sent.parts[0].name}-{self._name}-{next(self._numbers)}"
        future = self._client.submit(attempt, payload, tries, key=key, pure=False, retries=0)
        self._pending[future] = sent._replace(times=sent.times + 1)

    def _wait(self) -> "list[Future]":
        """Wait for at least one task."""
        from distributed import CancelledError, wait

        while True:
            try:
                return list(wait(list(self._pending), timeout=_SECONDS_TO_LOOK, return_when="FIRST_COMPLETED").done)
            except CancelledError as error:
                raise InputError(_GONE) from error
            except TimeoutError:
                self._workers.warn_of_none()

    def _finish(self, future: "Future") -> Iterator[Outcome]:
        try:
            answer = self._read(future, self._pending[future])
        except TimeoutError:  # its worker has ended before anybody fetched the result, and another does it again
            self._workers.warn_of_none()
            return
        sent = self._pending.pop(future)
        future.release()
        if answer is None:
            for part in sent.parts:  # each by itself, so that the others do not suffer from one
                self._send(_Sent([part], sent.times))
            return
        done = len(answer.attempts)
        self._together = choose_size(self._together, answer)
        self._returned.extend(sent.parts[done:])
        for part, attempted in zip(sent.parts, answer.attempts, strict=False):
            if attempted.fault is not None:
                raise InputError(f"A worker cannot go on: {attempted.fault.rstrip('.')}. {_AGAIN}")
            yield Outcome(part, attempted.result, _LOST if attempted.lost else None)

    def _read(self, future: "Future", sent: _Sent) -> Answer | None:
        """Read what came of a task; ``None`` where its parts must be sent again.

        Raises:
            TimeoutError: The result is not there any more.
        """
        from distributed import CancelledError, KilledWorker

        try:
            return future.result(timeout=_SECONDS_TO_LOOK)
        except TimeoutError:
            raise
        except CancelledError as error:
            raise InputError(_GONE) from error
        except KilledWorker:
            ended = count_tries(sent.parts[0].tries) >= MOST_TRIES or sent.times >= _MOST_SENT
            if ended and len(sent.parts) == 1:
                return Answer([Attempt(lost=True)], False)
            return None  # another part has ended the worker at which these waited
        except Exception as error:
            return Answer([Attempt(fault=_describe(error))], False)
