"""Commands that find the disk full at some moment, and run again once there is room."""

import logging
import re

import pytest

from faults.disks import small_disk
from faults.workplace import name_differences
from faults.works import WORKS

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.faults

TIMES = 2
SIZE = 400
FULL = "No space left on device|There is no room|full"


@pytest.mark.parametrize("name", ["ingestion", "evaluation", "predict", "promote"])
def test_a_command_that_finds_the_disk_full_ends_well_once_there_is_room(make_workplace, tmp_path, chance, name):
    work = WORKS[name]
    with small_disk(tmp_path / "disk", SIZE) as disk:
        workplace = make_workplace(tmp_path / "disk")
        (scratch := tmp_path / "disk/tmp").mkdir()
        workplace.reset(work.outputs)
        before = disk.free
        workplace.start(work.options).succeed()
        needed, expected = before - disk.free, workplace.contents(*work.left_out)
        failed = 0
        for number in range(TIMES):
            workplace.reset(work.outputs)
            disk.fill(int(chance.uniform(0, 0.95) * needed) if number else 0)
            command = workplace.start(work.options, {"TMPDIR": str(scratch)} if number % 2 else None)
            failed += command.end() != 0
            assert all(re.search(FULL, line) for line in command.errors), command.errors
            logger.warning("%s: %s", name, command.errors or "ended well")
            disk.empty()
            workplace.start(work.options).succeed()
            assert name_differences(workplace.contents(*work.left_out), expected) == []
            assert set(workplace.runs) <= {"FINISHED"}
        assert failed
