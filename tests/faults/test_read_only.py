"""Commands whose data folder, or whole project, cannot be written."""

import pytest

from faults.disks import read_only
from faults.works import TRAINING, WORKS

pytestmark = pytest.mark.faults

COMMANDS = {"training": TRAINING} | {name: WORKS[name] for name in ("ingestion", "evaluation", "predict", "promote")}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_may_not_write_says_so_in_a_line_and_runs_once_it_may(workplace, name):
    work = COMMANDS[name]
    workplace.reset(work.outputs)
    with read_only(workplace.data):
        assert "Read-only file system" in workplace.start(work.options).fail()
    workplace.start(work.options).succeed()
    assert set(workplace.runs) <= {"FINISHED"}


@pytest.mark.parametrize("name", ["ingestion", "evaluation"])
def test_a_project_that_may_not_be_written_is_one_line(workplace, name):
    work = WORKS[name]
    workplace.start(work.options).succeed()
    with read_only(workplace.root):
        line = workplace.start(work.options).fail()
    assert "Read-only file system" in line or "read-only" in line
    workplace.start(work.options).succeed()
