"""Run a single unit anywhere, by a separate command in a separate workspace."""

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

# Parameters of the study alone, which do not affect its units.
_NOT_OF_UNITS = ("study", "cluster")


class Outcome(NamedTuple):
    """The outcome of a unit.

    Attributes:
        unit: The unit.
        mark: The mark of its training; ``None`` if it failed.
        reason: Why it failed, in one line.
        seconds: Duration of the unit.
    """

    unit: Unit
    mark: Mark | None
    reason: str
    seconds: float


@dataclass(frozen=True)
class Job:
    """What all units of a study have in common; it is sent with each unit to wherever that runs.

    Attributes:
        nodes: For each entry, the nodes that train and evaluate it.
        session: The session options of the study, which its units share except for fold and seed.
        ledger: Marks finished units, and names their log files.
        parent: The MLflow run of the study.
        tracking: MLflow's tracking URI.
        searched: For each entry whose units begin with a search, the searched parameters, by dotted names.
    """

    nodes: Mapping[str, Sequence[str]]
    session: Session
    ledger: Ledger
    parent: str | None = None
    tracking: str | None = None
    searched: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def describe(self, unit: Unit, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the options of a unit's command for ``kedro run --config``.

        Args:
            unit: The unit.
            values: The hyper-parameters chosen by its search.
        """
        given = self._give(unit) if values is None else give_values(self._give(unit), unit.entry, values)
        return self._describe(f"train_{unit.entry}", given) | {"node_names": ",".join(self.nodes[unit.entry])}

    def describe_search(self, unit: Unit) -> dict[str, Any]:
        """Return the options of the command that searches a unit's hyper-parameters, with its fold and seed."""
        given = self._give(unit)
        return self._describe("search", given | {"search": dict(given.get("search") or {}) | {"entry": unit.entry}})

    def list_kept(self, unit: Unit) -> dict[str, Path]:
        """List the lasting folders of a unit's workspace, by their paths there, so that a search can be resumed."""
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
    """Run a unit, unless another process has finished it meanwhile.

    Args:
        job: What the unit has in common with others.
        unit: The unit.
        is_to_stop: Returns a signal to stop the unit with, true for the default one, or false to go on.
        variables: Environment variables of its command.
        study: Name under which its start is recorded, to be counted if this process dies during the unit.

    Raises:
        StoppedError: The unit was stopped early.
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
    """Explain in one line why a unit's workspace or mark could not be made.

    Raises:
        Exception: The error itself, if it is a fault of the software.
    """
    from leukoscope.core.faults import explain

    told = explain(error)
    if told is None:
        raise error
    return told.message
