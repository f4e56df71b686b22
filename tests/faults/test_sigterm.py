"""Commands that are ended as batch systems end them."""

import logging
import signal

import pytest

from faults.workplace import in_a_node, in_an_epoch, name_differences
from faults.works import TRAINING, WORKS

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.faults

TIMES = 5


def listen() -> None:
    """What is started in a shell's background may ignore a signal, and hands that on."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.parametrize("name", ["ingestion", "predict"])
def test_a_command_that_is_told_to_end_says_so_and_goes_on(workplace, chance, name):
    work = WORKS[name]
    workplace.reset(work.outputs)
    workplace.start(work.options).succeed()
    expected, ended = workplace.contents(*work.left_out), 0
    workplace.reset(work.outputs)
    for _ in range(TIMES):
        command = workplace.start(work.options, preexec_fn=listen)
        command.signal_at(in_a_node(work.nodes)(command, chance), signal.SIGTERM)
        ended += command.is_interrupted()
    workplace.start(work.options).succeed()
    assert name_differences(workplace.contents(*work.left_out), expected) == []
    assert set(workplace.runs) <= {"FINISHED"}
    logger.warning("%s: ended %d times", name, ended)
    assert ended >= 2


def test_a_training_that_is_told_to_end_is_marked_and_goes_on(workplace, chance):
    workplace.reset(TRAINING.outputs)
    for number in range(3):
        command = workplace.start(TRAINING.options, preexec_fn=listen)
        command.signal_at(in_an_epoch(command, chance), signal.SIGTERM)
        assert command.is_interrupted()
        assert "The same command goes on in the same run" in " ".join(command.text.split())
        assert workplace.runs == ["KILLED"]
        assert workplace.epochs > number
    assert "going on after epoch" in workplace.start(TRAINING.options).succeed()
    assert workplace.runs == ["FINISHED"]
    steps = workplace.ask_mlflow("SELECT step FROM metrics WHERE key = 'epoch/train_loss' ORDER BY step")
    assert steps == [1, 2, 3, 4, 5]
