"""Commands that are killed for real, at random moments, and started again; of trainings see ``test_training``."""

import json
import logging

import pytest

from faults.workplace import at_any_time, in_a_node, name_differences, while_there_is
from faults.works import WORKS

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.faults

ROUNDS, KILLS = 2, 5
WHILE_WRITING = {
    "ingestion": "data/demo/02_intermediate/.smears.new/*",
    "drawing and ingestion": "data/demo/01_raw/.leukemia.new/Original/*/*",
    "evaluation": "data/demo/0[78]*/*/unfinished-*",
    "predict": "data/demo/07_model_output/opinions/unfinished-*",
    "promote": "mlartifacts/models/**/reader.json",
}


@pytest.mark.parametrize("name", WORKS)
def test_a_killed_command_ends_like_one_that_was_not(workplace, chance, name):
    work = WORKS[name]
    workplace.reset(work.outputs)
    workplace.start(work.options).succeed()
    expected = workplace.contents(*work.left_out)
    moments = [at_any_time(), in_a_node(work.nodes), in_a_node(work.nodes), in_a_node(work.nodes, 4)]
    moments.append(while_there_is(WHILE_WRITING[name], delay=0.2))
    killed = 0
    for _ in range(ROUNDS):
        workplace.reset(work.outputs)
        for moment in chance.sample(moments, KILLS):
            command = workplace.start(work.options)
            command.signal_at(moment(command, chance)).end()
            killed += command.signalled
        workplace.start(work.options).succeed()
        assert name_differences(workplace.contents(*work.left_out), expected) == []
        assert set(workplace.runs) <= {"FINISHED"}
        if name == "promote":
            require_champion(workplace)
    logger.warning("%s: killed %d times", name, killed)
    assert killed >= 7


def require_champion(workplace) -> None:
    """The champion is a whole reader, the record names it, and it reads as the one in the folder does."""
    champion = workplace.ask_mlflow("SELECT version FROM registered_model_aliases WHERE alias = 'champion'")
    assert len(champion) == 1
    described = workplace.ask_mlflow(f"SELECT description FROM model_versions WHERE version = {champion[0]}")
    assert described[0]
    record = json.loads((workplace.data / "08_reporting/promotion.json").read_text())
    assert str(champion[0]) == record["version"] or record["why"].endswith(f"already, as version {champion[0]}")
    source = "reader.model_uri=models:/leukoscope@champion"
    workplace.start(["--pipelines", "predict", "--params", source]).succeed()
    opinions = workplace.data / "07_model_output/opinions.parquet"
    theirs = opinions.read_bytes()
    opinions.unlink()
    workplace.start(["--pipelines", "predict"]).succeed()
    assert theirs == opinions.read_bytes()
