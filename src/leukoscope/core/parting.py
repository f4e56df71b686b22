"""Work that is divided into parts, each of which any of several workers may do: what both sides of it agree on."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from leukoscope.core.counts import count_of

logger = logging.getLogger(__name__)

# A part that has ended so many workers is left alone.
MOST_TRIES = 3
_SECONDS_BETWEEN_LINES = 60


class Part(NamedTuple):
    """Some of the work.

    Attributes:
        name: Tells it from all others, of other runs too.
        task: What the work takes; it is sent to a worker.
        size: How many files it has.
        tries: The file in which workers note that they begin with it: what is left there has ended them.
    """

    name: str
    task: Any
    size: int
    tries: Path


class Outcome(NamedTuple):
    """What came of a part.

    Attributes:
        part: Which.
        result: What the work gave; ``None`` where the part is lost.
        lost: Why nobody can do it, or ``None``.
    """

    part: Part
    result: Any
    lost: str | None = None


class Place(Protocol):
    """Where parts are worked on: other processes, which see the same files."""

    def __len__(self) -> int:
        """Tell how many workers there are now."""
        ...

    def carry_out(self, work: Callable[[Any], Any], parts: Iterable[Part]) -> Iterator[Outcome]:
        """Let workers do some work with each part, and tell of each that has ended, in whatever order.

        Parts are asked for as workers become free: no more of them are in memory than keep these busy.

        Args:
            work: Takes a part's task; the same function must be there on the workers.
            parts: What is to be done.

        Raises:
            InputError: A worker cannot do it at all, or there is none any more.
        """
        ...


class Here:
    """This process, as a place for parts: it finishes what a cluster has begun."""

    def __len__(self) -> int:
        """Tell that there is one worker."""
        return 1

    def carry_out(self, work: Callable[[Any], Any], parts: Iterable[Part]) -> Iterator[Outcome]:
        """Do the work, one part after another."""
        for part in parts:
            yield Outcome(part, work(part.task))


def begin_try(tries: Path) -> int:
    """Note that a part is begun; gives how many workers it has ended before."""
    ended = count_tries(tries)
    if ended < MOST_TRIES:
        with tries.open("ab", buffering=0) as file:
            file.write(b".")
    return ended


def count_tries(tries: Path) -> int:
    """Count how many workers have begun with a part and not ended."""
    try:
        return tries.stat().st_size
    except FileNotFoundError:
        return 0


def say_parts(what: str, parts: int, missing: int, place: Place) -> None:
    """Say how much there is to do, how much was done before, and who does it.

    Args:
        what: What is done with parts, like ``decoded``.
        parts: All that there are.
        missing: How many of them are not done yet.
        place: Who works.
    """
    before = f"; {parts - missing} were {what} before" if parts > missing else ""
    logger.info("Parts to be %s by %s: %d of %d%s", what, _say_workers(place), missing, parts, before)


def follow(
    outcomes: Iterable[Outcome], place: Place, what: str, files: int, done: int, unit: str = "files"
) -> Iterator[Outcome]:
    """Show how many files have passed: on a terminal by a bar, else by a line a minute.

    Args:
        outcomes: What passes.
        place: Who works.
        what: What is done with files.
        files: All that there are.
        done: How many of them were done before.
        unit: What they are, if they are no files.
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
