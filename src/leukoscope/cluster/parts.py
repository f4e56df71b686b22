"""Parts of work on a cluster: as many at a time as keep its workers busy, and none more often than it can bear."""

import logging
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
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


def attempt(payload: bytes, tries: str) -> Attempt:
    """Do the work of a part in a worker's process, one part at a time.

    Args:
        payload: The work and its task; pickled, so that the scheduler need not know what they are made of.
        tries: The file that says how many workers the part has ended.
    """
    with _at_work:
        if begin_try(Path(tries)) >= MOST_TRIES:
            return Attempt(lost=True)
        try:
            take_share(work.count_own_cores() or count_cores())
            function, task = pickle.loads(payload)
            return Attempt(function(task))
        except Exception as error:
            logger.exception("A part cannot be done")
            return Attempt(fault=_describe(error))
        finally:
            Path(tries).unlink(missing_ok=True)


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


class Workers:
    """The workers of a Dask cluster, as a place for parts.

    Args:
        client: Dask's client.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client
        # What the scheduler keeps of a command that was killed, and takes for alive, is never taken for this one's.
        self._command = uuid.uuid4().hex[:8]
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
        waiting, pending = iter(parts), dict[Any, _Sent]()
        try:
            while True:
                for part in self._take(waiting, len(pending)):
                    pending |= self._send(_Sent(part, pickle.dumps((work, part.task))))
                if not pending:
                    return
                for future in self._wait(pending):
                    yield from self._finish(future, pending)
        finally:
            with suppress(Exception):  # a lost scheduler has nothing to cancel
                self._client.cancel(list(pending))

    def _take(self, parts: Iterator[Part], pending: int) -> Iterator[Part]:
        for _ in range(max(1, len(self)) * (1 + _WAITING) - pending):
            part = next(parts, None)
            if part is None:
                return
            yield part

    def _send(self, sent: "_Sent") -> "dict[Future, _Sent]":
        key = f"{sent.part.name}-{self._command}-{sent.times}"
        payload, tries = sent.payload, str(sent.part.tries)
        future = self._client.submit(attempt, payload, tries, key=key, pure=False, retries=0)
        return {future: sent._replace(times=sent.times + 1)}

    def _wait(self, pending: "dict[Future, _Sent]") -> "list[Future]":
        """Wait for at least one part."""
        from distributed import CancelledError, wait

        while True:
            try:
                return list(wait(list(pending), timeout=_SECONDS_TO_LOOK, return_when="FIRST_COMPLETED").done)
            except CancelledError as error:
                raise InputError(_GONE) from error
            except TimeoutError:
                self._warn_of_none()

    def _warn_of_none(self) -> None:
        """Say now and then that nobody works: jobs may wait in a queue for hours, and are waited for."""
        if not len(self) and time.monotonic() - self._seen > _SECONDS_TO_WARN:
            self._seen = time.monotonic()
            logger.warning("The cluster has no worker now, and work is left: it goes on when one has come")

    def _finish(self, future: "Future", pending: "dict[Future, _Sent]") -> Iterator[Outcome]:
        sent = pending.pop(future)
        try:
            answer = self._read(future, sent)
        except TimeoutError:  # its worker has ended before anybody fetched the result, and another does it again
            pending[future] = sent
            self._warn_of_none()
            return
        future.release()
        if answer is None:
            pending |= self._send(sent)
        elif answer.fault is not None:
            raise InputError(f"A worker cannot go on: {answer.fault.rstrip('.')}. {_AGAIN}")
        else:
            yield Outcome(sent.part, answer.result, _LOST if answer.lost else None)

    def _read(self, future: "Future", sent: "_Sent") -> Attempt | None:
        """Read what came of a part; ``None`` where it must be sent again.

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
            if count_tries(sent.part.tries) >= MOST_TRIES or sent.times >= _MOST_SENT:
                return Attempt(lost=True)
            return None  # another part has ended the worker at which this one waited
        except Exception as error:
            return Attempt(fault=_describe(error))


class _Sent(NamedTuple):
    """A part that was sent to the scheduler.

    Attributes:
        part: Which.
        payload: What workers get.
        times: How often.
    """

    part: Part
    payload: bytes
    times: int = 0
