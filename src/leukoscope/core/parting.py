"""Work divided into parts, each of which any of several workers may do: the interface between both sides."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from leukoscope.core.counts import count_of

logger = logging.getLogger(__name__)

# A part that has killed this many workers is not tried again.
MOST_TRIES = 3
_SECONDS_BETWEEN_LINES = 60


class Part(NamedTuple):
    """A part of the work.

    Attributes:
        name: A unique name, also among other runs.
        task: The input of the work, which is sent to a worker.
        size: Number of files in the part.
        tries: The file in which workers note that they begin the part; notes that remain are of killed workers.
    """

    name: str
    task: Any
    size: int
    tries: Path


class Outcome(NamedTuple):
    """The outcome of a part.

    Attributes:
        part: The part.
        result: The result of the work; ``None`` if the part is lost.
        lost: Why no worker can do the part, or ``None``.
    """

    part: Part
    result: Any
    lost: str | None = None


class Place(Protocol):
    """A place where parts are worked on: other processes that see the same files."""

    def __len__(self) -> int:
        """Return the current number of workers."""
        ...

    def carry_out(self, work: Callable[[Any], Any], parts: Iterable[Part]) -> Iterator[Outcome]:
        """Let workers process each part, and yield outcomes as parts end, in any order.

        Parts are requested as workers become free, so that memory holds only as many as keep the workers busy.

        Args:
            work: A function of a part's task, which must also exist on the workers.
            parts: The parts to process.

        Raises:
            InputError: A worker cannot do the work at all, or no worker is left.
        """
        ...


class Here:
    """This process as a place for parts; it finishes work that a cluster has begun."""

    def __len__(self) -> int:
        """Return 1, since this process is the only worker."""
        return 1

    def carry_out(self, work: Callable[[Any], Any], parts: Iterable[Part]) -> Iterator[Outcome]:
        """Process one part after another."""
        for part in parts:
            yield Outcome(part, work(part.task))


def begin_try(tries: Path) -> int:
    """Note that a part is begun, and return how many workers it has killed before."""
    ended = count_tries(tries)
    if ended < MOST_TRIES:
        with tries.open("ab", buffering=0) as file:
            file.write(b".")
    return ended


def count_tries(tries: Path) -> int:
    """Count the workers that have begun a part and not finished it."""
    try:
        return tries.stat().st_size
    except FileNotFoundError:
        return 0


def say_parts(what: str, parts: int, missing: int, place: Place) -> None:
    """Log how many parts are left, how many were done before, and how many workers there are.

    Args:
        what: What is done to parts, like ``decoded``.
        parts: Number of all parts.
        missing: Number of parts that are not done yet.
        place: The place with the workers.
    """
    before = f"; {parts - missing} were {what} before" if parts > missing else ""
    logger.info("Parts to be %s by %s: %d of %d%s", what, _say_workers(place), missing, parts, before)


def follow(
    outcomes: Iterable[Outcome], place: Place, what: str, files: int, done: int, unit: str = "files"
) -> Iterator[Outcome]:
    """Pass on outcomes while showing progress: a bar on a terminal, otherwise a log line per minute.

    Args:
        outcomes: The outcomes to pass on.
        place: The place with the workers.
        what: What is done to files.
        files: Number of all files.
        done: Number of files that were done before.
        unit: The unit that is counted, if not files.
    """
    from tqdm import tqdm

    last_line = time.monotonic()
    with tqdm(total=files, initial=done, desc=what, unit=f" {unit}", disable=None) as bar:
        for outcome in outcomes:
            yield outcome
            done += outcome.part.size
            bar.update(outcome.part.size)
            if bar.disable and time.monotonic() - last_line > _SECONDS_BETWEEN_LINES:
                last_line = time.monotonic()
                logger.info("%s: %d of %d %s, %s", what, done, files, unit, _say_workers(place))


def _say_workers(place: Place) -> str:
    return count_of(len(place), "worker")
