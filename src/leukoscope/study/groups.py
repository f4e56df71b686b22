"""Nodes of a pipeline that belong together, run by a command of their own on whichever worker is free."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from leukoscope.core.errors import InputError
from leukoscope.core.session import Session
from leukoscope.study.commands import StoppedError, explain_end, make_environment, run_command, wait_unless

logger = logging.getLogger(__name__)


class Group(NamedTuple):
    """What a worker is told of some nodes.

    Attributes:
        name: Their namespace.
        pipelines: The names of pipelines that have them.
        nodes: Their names.
        session: Of the command that runs all: theirs is given the same.
        log: Takes what they print.
        parent: MLflow's run of the command.
        tracking: The address of MLflow's records.
    """

    name: str
    pipelines: Sequence[str]
    nodes: Sequence[str]
    session: Session
    log: Path
    parent: str | None = None
    tracking: str | None = None

    def describe(self) -> dict[str, Any]:
        """Give the options of the command, as ``kedro run --config`` takes them."""
        options = {
            "env": self.session.env,
            "conf_source": self.session.source,
            "pipelines": ",".join(self.pipelines),
            "node_names": ",".join(self.nodes),
            "params": dict(self.session.given),
        }
        return {name: value for name, value in options.items() if value is not None}


def run_group(group: Group) -> bool:
    """Run nodes in a worker's process, by a command that is its child.

    Returns:
        Whether they came to their end; else they were stopped, since the worker is closed or nobody waits for them.

    Raises:
        InputError: They failed.
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
    """Say that a group has run: loggers of runners are silent, unless nodes are to be told of."""
    logger.info("%s has run on a worker", group.name)
