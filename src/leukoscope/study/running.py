"""Run the units of a study.

Each unit runs in a separate process, since seed, precision and MLflow run are global to a process, and a backend
releases its memory only when the process ends.
"""

import logging
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial
from typing import Protocol

from leukoscope.core.cores import count_cores, limit_threads
from leukoscope.core.counts import count_of
from leukoscope.study.commands import heeding_hangup
from leukoscope.study.ledger import Ledger
from leukoscope.study.plan import Plan, Unit
from leukoscope.study.unit import Job, Outcome, make_unit

logger = logging.getLogger(__name__)

FINISHED = "finished"
FAILED = "failed"


class Place(Protocol):
    """Where units run: this machine, or others that see the same files."""

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Run units, and yield the outcome of each as soon as it ends, in any order; failures do not stop others."""
        ...


class Processes:
    """Runs units on this machine, each by a separate command.

    Args:
        job: What the units have in common.
        workers: Number of units run at a time; several share the cores.
    """

    def __init__(self, job: Job, workers: int = 1) -> None:
        self._job = job
        self._workers = workers
        self._signal = 0

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Run units, and yield the outcome of each when it has ended."""
        self._signal = 0
        make = partial(make_unit, self._job, is_to_stop=lambda: self._signal, variables=self._share())
        with ThreadPoolExecutor(self._workers) as pool, heeding_hangup():
            begun = [pool.submit(make, unit) for unit in units]
            try:
                yield from (ended.result() for ended in as_completed(begun))
            except KeyboardInterrupt:
                self._stop(begun, signal.SIGINT)
                raise
            finally:
                self._stop(begun, signal.SIGTERM)

    def _stop(self, begun: list[Future[Outcome]], number: int) -> None:
        """End running units by a signal, and start no more."""
        self._signal = self._signal or number
        for unit in begun:
            unit.cancel()

    def _share(self) -> dict[str, str]:
        return limit_threads(max(1, count_cores() // self._workers)) if self._workers > 1 else {}


def run_units(plan: Plan, ledger: Ledger, place: Place) -> list[Outcome]:
    """Run the unfinished units of a study.

    Args:
        plan: The plan of the study.
        ledger: The ledger of finished units.
        place: Where units run.

    Returns:
        The outcome of every unit, in the order of the plan.
    """
    marks = {unit: ledger.find(unit) for unit in plan.units}
    outcomes = {unit: Outcome(unit, mark, "", mark.seconds) for unit, mark in marks.items() if mark}
    logger.info("The study has %s, of which %d are finished", plan, len(outcomes))
    left_to_run = [unit for unit in plan.units if unit not in outcomes]
    for outcome in place.run(left_to_run) if left_to_run else ():
        outcomes[outcome.unit] = outcome
        left = len(plan.units) - len(outcomes)
        words = f"failed: {outcome.reason}" if outcome.reason else "finished"
        logger.info(
            "%s %s after %.0f s; %s left", outcome.unit, words, outcome.seconds, count_of(left, "unit is", "units are")
        )
    return [outcomes[unit] for unit in plan.units]
