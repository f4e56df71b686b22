"""How one unit is made, wherever that is: by a command of its own, in a workspace of its own."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from leukoscope.core.session import WORKSPACE, Session
from leukoscope.study.commands import StoppedError, explain_end, make_environment, run_command, wait_unless
from leukoscope.study.ledger import Ledger, Mark
from leukoscope.study.nested import STORAGE, keep_choice
from leukoscope.study.plan import Unit
from leukoscope.study.space import give_values
from leukoscope.study.workspace import Workspace

# Of the study alone, and of no consequence for what its units are.
_NOT_OF_UNITS = ("study", "cluster")


class Outcome(NamedTuple):
    """What came of a unit.

    Attributes:
        unit: Which.
        mark: Where its training is; ``None`` where it failed.
        reason: Why, then, in one line.
        seconds: How long it took.
    """

    unit: Unit
    mark: Mark | None
    reason: str
    seconds: float


@dataclass(frozen=True)
class Job:
    """What all units of a study have in common; it goes with each to wherever that is made.

    Attributes:
        nodes: Of each entry the nodes that train and evaluate it.
        session: Of the study: its units are given the same, but for fold and seed.
        ledger: Marks what is finished, and says where what units print is kept.
        parent: MLflow's run of the study.
        tracking: The address of MLflow's records.
        searched: Of each entry whose units begin with a search: the parameters that it looks for, by dotted names.
    """

    nodes: Mapping[str, Sequence[str]]
    session: Session
    ledger: Ledger
    parent: str | None = None
    tracking: str | None = None
    searched: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def describe(self, unit: Unit, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Give the options of a unit's command, as ``kedro run --config`` takes them.

        Args:
            unit: Which.
            values: The hyper-parameters that its search has chosen.
        """
        given = self._give(unit) if values is None else give_values(self._give(unit), unit.entry, values)
        return self._describe(f"train_{unit.entry}", given) | {"node_names": ",".join(self.nodes[unit.entry])}

    def describe_search(self, unit: Unit) -> dict[str, Any]:
        """Give the options of the command that chooses a unit's hyper-parameters, on its fold and by its seed."""
        given = self._give(unit)
        return self._describe("search", given | {"search": dict(given.get("search") or {}) | {"entry": unit.entry}})

    def list_kept(self, unit: Unit) -> dict[str, Path]:
        """List the folders that last of a unit's workspace, by their places there: so that a search can go on."""
        return {STORAGE: self.ledger.name_search(unit)} if unit.entry in self.searched else {}

    def _give(self, unit: Unit) -> dict[str, Any]:
        given = {name: value for name, value in self.session.given.items() if name not in _NOT_OF_UNITS}
        splitting = dict(given.get("splitting") or {}) | unit.parameters["splitting"]
        return given | unit.parameters | {"splitting": splitting}

    def _describe(self, pipeline: str, given: Mapping[str, Any]) -> dict[str, Any]:
        session = self.session
        options = {"env": session.env, "conf_source": session.source, "pipelines": pipeline, "params": dict(given)}
        return {name: value for name, value in options.items() if value is not None}


def make_unit(
    job: Job,
    unit: Unit,
    is_to_stop: Callable[[], int | bool],
    variables: Mapping[str, str] | None = None,
    study: str | None = None,
) -> Outcome:
    """Make a unit, unless somebody else has finished it meanwhile.

    Args:
        job: What it has in common with others.
        unit: Which.
        is_to_stop: Tells by which signal, or only that, it is to be ended.
        variables: Of the environment of its command.
        study: Under which name its beginning is kept, to be counted if this process does not live to its end.

    Raises:
        StoppedError: It was ended before its time.
    """
    began = time.monotonic()
    try:
        workspace = Workspace(job.ledger.data, unit, job.list_kept(unit))
        with workspace.open(is_to_stop) as lock:
            found = job.ledger.find(unit)
            with workspace.counting(study if found is None else None):
                outcome = (
                    Outcome(unit, found, "", found.seconds)
                    if found
                    else _make(job, unit, workspace, lock, is_to_stop, variables)
                )
        return outcome
    except StoppedError:
        raise
    except Exception as error:
        return Outcome(unit, None, _explain(error), time.monotonic() - began)


def _make(
    job: Job,
    unit: Unit,
    workspace: Workspace,
    lock: int,
    is_to_stop: Callable[[], int | bool],
    variables: Mapping[str, str] | None,
) -> Outcome:
    log = job.ledger.name_log(unit)
    began = time.monotonic()
    own = {WORKSPACE: str(workspace.folder)} | dict(variables or {})
    if job.tracking:
        own["MLFLOW_TRACKING_URI"] = job.tracking
    files = (lock,) if os.name != "nt" else ()

    def run(options: Mapping[str, Any], name: str) -> int:
        environment = make_environment(job.parent, name, own)
        return run_command(options, log, job.session.project, environment, wait_unless(is_to_stop), files)

    choice = None
    code = run(job.describe_search(unit), f"search of {unit}") if unit.entry in job.searched else 0
    if not code:
        if unit.entry in job.searched:
            choice = keep_choice(workspace.folder, job.ledger.name_search(unit), unit.entry, job.searched[unit.entry])
        code = run(job.describe(unit, choice and choice.values), str(unit))
    seconds = time.monotonic() - began
    if code:
        return Outcome(unit, None, explain_end(code, log), seconds)
    log.unlink(missing_ok=True)
    return Outcome(unit, job.ledger.mark(unit, seconds, workspace.home, choice), "", seconds)


def _explain(error: Exception) -> str:
    """Say in one line why a unit's place or mark could not be made.

    Raises:
        Exception: The error itself, where that is a fault of the software.
    """
    from leukoscope.core.faults import explain

    told = explain(error)
    if told is None:
        raise error
    return told.message
