"""Parts of work on a cluster: as many at a time as keep its workers busy, and none more often than it can bear."""

import logging
import pickle
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leukoscope.cluster.attempts import Answer, Attempt, attempt, describe
from leukoscope.cluster.loss import telling_of_loss
from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.core.parting import MOST_TRIES, Outcome, Part, Place, count_tries
from leukoscope.core.session import find_project

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

# Parts that wait at each worker while it is busy with another.
_WAITING = 1
# Parts that take no time are sent together, at most so many.
_MOST_TOGETHER = 64
_SECONDS_TO_LOOK = 2.0
_SECONDS_TO_WARN = 60
# A part of which Dask says that it has ended workers, though it had not begun, is sent so many times.
_MOST_SENT = 10
_LOST = f"a worker process ended each of the {MOST_TRIES} times that their part was begun"
_KEPT = "What was finished is kept."
_AGAIN = "What was finished is kept, and the same command goes on from there."
_GONE = f"The scheduler of the cluster is gone. Start it and its workers again. {_AGAIN}"


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
        self._count = 0
        self._counted = -_SECONDS_TO_LOOK
        self._seen = time.monotonic()

    def __len__(self) -> int:
        """Tell how many workers there are, or were a moment ago."""
        now = time.monotonic()
        if now - self._counted >= _SECONDS_TO_LOOK:
            with suppress(Exception):  # of a lost scheduler whoever sends to it is told
                self._count = len(self._client.nthreads(callback_timeout=_SECONDS_TO_LOOK))
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
        self._client = client
        self._workers = workers
        self._name = name
        self._work = work
        self._parts = iter(parts)
        self._returned = deque[Part]()
        self._pending = dict[Any, _Sent]()
        self._numbers = count()
        self._together = 1

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
        with telling_of_loss(self._client, _GONE):
            future = self._client.submit(attempt, payload, tries, key=key, pure=False, retries=0)
        self._pending[future] = sent._replace(times=sent.times + 1)

    def _wait(self) -> "list[Future]":
        """Wait for at least one task."""
        from distributed import wait

        while True:
            try:
                with telling_of_loss(self._client, _GONE):
                    return list(wait(list(self._pending), timeout=_SECONDS_TO_LOOK, return_when="FIRST_COMPLETED").done)
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
                fault = attempted.fault.removesuffix(_KEPT).rstrip(". ")
                raise InputError(f"A worker cannot go on: {fault}. {_AGAIN}")
            yield Outcome(part, attempted.result, _LOST if attempted.lost else None)

    def _read(self, future: "Future", sent: _Sent) -> Answer | None:
        """Read what came of a task; ``None`` where its parts must be sent again.

        Raises:
            InputError: The scheduler is lost.
            TimeoutError: The result is not there any more.
        """
        from distributed import KilledWorker

        try:
            with telling_of_loss(self._client, _GONE):
                answer: Answer = future.result(timeout=_SECONDS_TO_LOOK)
                return answer
        except (TimeoutError, InputError):
            raise
        except KilledWorker:
            ended = count_tries(sent.parts[0].tries) >= MOST_TRIES or sent.times >= _MOST_SENT
            if ended and len(sent.parts) == 1:
                return Answer([Attempt(lost=True)], False)
            return None  # another part has ended the worker at which these waited
        except Exception as error:
            return Answer([Attempt(fault=describe(error))], False)
