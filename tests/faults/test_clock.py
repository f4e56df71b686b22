"""Clocks that are set between two runs, or in the middle of one."""

import os
import time
from pathlib import Path

import pytest

from faults.workplace import at_any_time, in_a_node, in_an_epoch, name_differences
from faults.works import TRAINING, WORKS

pytestmark = pytest.mark.faults

DAY = 24 * 3600
# Python imports this at its start, if it finds it.
SITE = """
import time
begin, seconds, nanoseconds = time.monotonic(), time.time, time.time_ns
def shift():
    return {shift} if time.monotonic() - begin >= {after} else 0
time.time = lambda: seconds() + shift()
time.time_ns = lambda: nanoseconds() + shift() * 10**9
"""


@pytest.fixture
def set_clock(tmp_path_factory):
    """Gives the environment in which Python's clock differs by some seconds, some seconds after the start."""

    def make(shift: int, after: float = 0) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("clock")
        (folder / "sitecustomize.py").write_text(SITE.format(shift=shift, after=after))
        return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}

    return make


def date_files(folder: Path, seconds: float) -> None:
    """Let all files but raw images, of which the time counts, be of another time."""
    for path in folder.rglob("*"):
        if "01_raw" not in path.parts:
            os.utime(path, (seconds, seconds))


def test_files_of_another_time_are_neither_stale_nor_newer(workplace):
    for name in ("ingestion", "predict"):
        workplace.start(WORKS[name].options).succeed()
    expected = workplace.contents()
    leftover = workplace.data / "02_intermediate/unfinished-manifest.parquet"
    leftover.write_bytes(b"half")
    date_files(workplace.data, time.time() + DAY)
    assert "not decoded again" in workplace.start(WORKS["ingestion"].options).succeed()
    assert "are not read again" in workplace.start(WORKS["predict"].options).succeed()
    workplace.start(TRAINING.options).succeed()
    differences = name_differences(workplace.contents(), expected)
    assert not [name for name in differences if name.startswith(("06_models", "02_intermediate"))]
    assert not leftover.exists()


def test_a_training_goes_on_whatever_the_clock_says(workplace, chance, set_clock):
    """Killed at the right time, gone on with a day earlier, and set back in the middle of the third run."""
    workplace.reset(TRAINING.outputs)
    for clock in ({}, set_clock(-DAY)):
        command = workplace.start(TRAINING.options, clock)
        assert command.signal_at(in_an_epoch(command, chance)).end() != 0
        date_files(workplace.data / "06_models", time.time() + DAY)
    text = workplace.start(TRAINING.options, set_clock(-DAY, chance.uniform(5, 20))).succeed()
    assert "going on after epoch" in text
    assert workplace.runs == ["FINISHED"]
    steps = workplace.ask_mlflow("SELECT step FROM metrics WHERE key = 'epoch/train_loss' ORDER BY step")
    assert steps == [1, 2, 3, 4, 5]


def test_an_interrupted_run_is_gone_on_with_although_an_earlier_one_has_a_later_time(workplace, chance, set_clock):
    work = WORKS["evaluation"]
    workplace.start(work.options, set_clock(DAY)).succeed()
    command = workplace.start(work.options)
    command.signal_at(in_a_node(work.nodes, 0)(command, chance)).end()
    assert command.signalled
    workplace.start(work.options).succeed()
    assert workplace.runs == ["FINISHED", "FINISHED"]


def test_a_reading_goes_on_although_the_clock_is_set_back_meanwhile(workplace, chance, set_clock):
    work = WORKS["predict"]
    workplace.reset(work.outputs)
    workplace.start(work.options).succeed()
    expected = workplace.contents()
    workplace.reset(work.outputs)
    command = workplace.start(work.options, set_clock(DAY))
    command.signal_at(at_any_time(20)(command, chance)).end()
    workplace.start(work.options, set_clock(-DAY, chance.uniform(0, 15))).succeed()
    assert name_differences(workplace.contents(), expected) == []
