"""Where the units of a study run.

Each runs in a process of its own: seed, precision and MLflow's run are one for a whole process, and memory that a
backend has taken is given back when it ends.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from leukoscope.core.commands import name_run
from leukoscope.core.errors import shorten
from leukoscope.core.session import Session
from leukoscope.core.storage import write_json
from leukoscope.study.ledger import Ledger, Mark
from leukoscope.study.plan import Plan, Unit

logger = logging.getLogger(__name__)

FINISHED, FAILED = "finished", "failed"
_SECONDS_TO_END = 30
_NAME = "leukoscope"  # of the command, and of its part of a file of options
_PARENT = "mlflow.parentRunId"  # MLflow's tag
_SOURCE = str(Path(__file__).parents[2])  # the package's own, which `kedro run` finds where it is not installed too
_LONGEST = 300


class Ran(NamedTuple):
    """A unit that was run.

    Attributes:
        unit: Which.
        reason: Why it failed, in one line; ``None`` if it did not.
        seconds: How long it took.
    """

    unit: Unit
    reason: str | None
    seconds: float


class Place(Protocol):
    """Where units run: this machine, or others that see the same files."""

    def run(self, units: Iterable[Unit]) -> Iterator[Ran]:
        """Run units, and tell of each as soon as it has ended, in whatever order; a failed one stops no other."""
        ...


class Outcome(NamedTuple):
    """What came of a unit.

    Attributes:
        unit: Which.
        mark: Where its training is; ``None`` where it failed.
        reason: Why, then.
        seconds: How long it took.
    """

    unit: Unit
    mark: Mark | None
    reason: str
    seconds: float


class Processes:
    """Runs one unit after another, each by a command of its own.

    Args:
        nodes: Of each entry the nodes that train and evaluate it.
        session: Of the study: its units are given the same, but for fold and seed.
        ledger: Says where what they print is kept.
        parent: MLflow's run of the study.
    """

    def __init__(
        self, nodes: Mapping[str, Sequence[str]], session: Session, ledger: Ledger, parent: str | None = None
    ) -> None:
        self._nodes, self._session, self._ledger, self._parent = nodes, session, ledger, parent

    def run(self, units: Iterable[Unit]) -> Iterator[Ran]:
        """Run units, and tell of each when it has ended."""
        for unit in units:
            log, began = self._ledger.name_log(unit), time.monotonic()
            environment = make_environment(self._parent, str(unit))
            code = run_command(self.describe(unit), log, self._session.project, environment)
            seconds = time.monotonic() - began
            reason = None if code == 0 else explain_end(code, log)
            if reason is None:
                log.unlink(missing_ok=True)
            yield Ran(unit, reason, seconds)

    def describe(self, unit: Unit) -> dict[str, Any]:
        """Give the options of a unit's command, as ``kedro run --config`` takes them."""
        given = {name: value for name, value in self._session.given.items() if name != "study"}
        splitting = dict(given.get("splitting") or {}) | unit.parameters["splitting"]
        options = {
            "env": self._session.env,
            "conf_source": self._session.source,
            "pipelines": f"train_{unit.entry}",
            "node_names": ",".join(self._nodes[unit.entry]),
            "params": given | unit.parameters | {"splitting": splitting},
        }
        return {name: value for name, value in options.items() if value is not None}


def run_command(
    options: Mapping[str, Any],
    log: Path,
    project: Path,
    environment: Mapping[str, str],
    wait: Callable[[subprocess.Popen[bytes]], int] = subprocess.Popen.wait,
) -> int:
    """Run a command like ``kedro run``; when this process is ended, it is too, as gently.

    Args:
        options: As ``kedro run --config`` takes them.
        log: Takes what it prints.
        project: Where it runs.
        environment: As ``make_environment`` has it.
        wait: Waits for its end, or decides that it has run long enough; gives its code.

    Returns:
        What ``wait`` gave.
    """
    file = log.with_suffix(".json")
    write_json(file, {_NAME: dict(options)})
    command = [sys.executable, "-m", _NAME, "--force", "--config", str(file.absolute())]
    try:
        with log.open("wb") as output:
            # In a session of its own the terminal sends it no Ctrl-C, which would come beside the one from here.
            process = subprocess.Popen(
                command, cwd=project, env=environment, stdout=output, stderr=output, start_new_session=True
            )
            with _passing_on(process):
                return wait(process)
    finally:
        file.unlink(missing_ok=True)


def make_environment(parent: str | None, name: str) -> dict[str, str]:
    """Make the environment of a command whose run in MLflow is a child of this one's, and is called by a name.

    Args:
        parent: MLflow's run of the command at work.
        name: Of what the other command does.
    """
    places = [_SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    if parent is None:
        return environment
    tags = json.loads(os.environ.get("MLFLOW_RUN_CONTEXT") or "{}")
    tags |= {_PARENT: parent, "unit": name}
    return environment | {"MLFLOW_RUN_CONTEXT": json.dumps(tags)}


def run_units(plan: Plan, ledger: Ledger, place: Place) -> list[Outcome]:
    """Run what is not finished of a study.

    Args:
        plan: Of the study.
        ledger: Of what is finished.
        place: Where units run.

    Returns:
        What came of every unit, in the order of the plan.
    """
    marks = {unit: ledger.find(unit) for unit in plan.units}
    outcomes = {unit: Outcome(unit, mark, "", mark.seconds) for unit, mark in marks.items() if mark}
    logger.info("The study has %s, of which %d are finished", plan, len(outcomes))
    left_to_run = [unit for unit in plan.units if unit not in outcomes]
    _warn_of_others({unit.entry for unit in left_to_run}, ledger)
    for ran in place.run(left_to_run):
        outcomes[ran.unit] = _take(ran, ledger)
        left = len(plan.units) - len(outcomes)
        words = f"failed: {outcomes[ran.unit].reason}" if outcomes[ran.unit].reason else "finished"
        logger.info("%s %s after %.0f s; %d units are left", ran.unit, words, ran.seconds, left)
    return [outcomes[unit] for unit in plan.units]


def _warn_of_others(entries: Iterable[str], ledger: Ledger) -> None:
    for name in sorted(entries):
        if ledger.is_elsewhere(name):
            logger.warning(
                "%s was trained on a split of its own. That training stays; model and predictions that other commands "
                "find are the last unit's after the study, until `%s` brings it back without training it again",
                name,
                name_run(f"train_{name}"),
            )


def _take(ran: Ran, ledger: Ledger) -> Outcome:
    if ran.reason is not None:
        return Outcome(ran.unit, None, ran.reason, ran.seconds)
    try:
        return Outcome(ran.unit, ledger.mark(ran.unit, ran.seconds), "", ran.seconds)
    except OSError as error:
        return Outcome(ran.unit, None, f"its mark cannot be kept: {error}", ran.seconds)
    except Exception as error:
        from leukoscope.core.faults import explain

        told = explain(error)
        if told is None:
            raise
        return Outcome(ran.unit, None, told.message, ran.seconds)


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass on what ends this process while another runs: Ctrl-C, SIGTERM, and a terminal that is closed."""
    number = getattr(signal, "SIGHUP", signal.SIGTERM)
    in_main = threading.current_thread() is threading.main_thread()
    caught = in_main and signal.getsignal(number) is signal.SIG_DFL
    if caught:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        yield
    except KeyboardInterrupt:
        _end(process, signal.SIGINT)
        raise
    finally:
        _end(process, signal.SIGTERM)
        if caught:
            signal.signal(number, signal.SIG_DFL)


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    """End a process that still runs, first by a signal that lets it keep what it has."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def explain_end(code: int, log: Path) -> str:
    """Say in one line why a command failed, by what it printed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    if errors:
        said = " ".join(lines[errors[-1] :]).removeprefix("Error: ")
    elif code < 0:
        said = f"it was ended by signal {-code}, which for 9 is often a lack of memory"
    else:
        said = lines[-1] if lines else f"it ended with {code} and said nothing"
    return shorten(" ".join(said.split()), _LONGEST)
