"""Groups of pipeline nodes, each run by a separate command on any free worker."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from leukoscope.core.errors import InputError
from leukoscope.core.session import Session
from leukoscope.study.commands import StoppedError, explain_end, make_environment, run_command, wait_unless

logger = logging.getLogger(__name__)


class Group(NamedTuple):
    """A worker's description of a group of nodes.

    Attributes:
        name: The nodes' namespace.
        pipelines: The names of pipelines that contain the nodes.
        nodes: The names of the nodes.
        session: The session options of the overall command, which are passed on to the group's command.
        log: File for the output of the nodes.
        parent: The MLflow run of the overall command.
        tracking: MLflow's tracking URI.
    """

    name: str
    pipelines: Sequence[str]
    nodes: Sequence[str]
    session: Session
    log: Path
    parent: str | None = None
    tracking: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return the options of the command for ``kedro run --config``."""
        options = {
            "env": self.session.env,
            "conf_source": self.session.source,
            "pipelines": ",".join(self.pipelines),
            "node_names": ",".join(self.nodes),
            "params": dict(self.session.given),
        }
        return {name: value for name, value in options.items() if value is not None}


def run_group(group: Group) -> bool:
    """Run nodes on a worker, by a command that is its child process.

    Returns:
        Whether the nodes finished; otherwise they were stopped, since the worker is closing or they are not needed.

    Raises:
        InputError: The nodes failed.
    """
    from leukoscope.cluster import work

    more = {"MLFLOW_TRACKING_URI": group.tracking} if group.tracking else {}
    environment = make_environment(group.parent, group.name, more)
    try:
        wait = wait_unless(work.is_to_stop)
        code = run_command(group.describe(), group.log, group.session.project, environment, wait)
    except StoppedError:
        return False
    if code:
        raise InputError(f"{group.name} failed: {explain_end(code, group.log)}")
    group.log.unlink(missing_ok=True)
    return True


def tell_ended(group: Group) -> None:
    """Log that a group has run, since loggers of runners are silent unless nodes are to be reported."""
    logger.info("%s has run on a worker", group.name)
