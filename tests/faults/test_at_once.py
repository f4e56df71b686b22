"""Commands that run at the same time in one project: each ends well, or with one line and nothing spoiled."""

import logging
import time

import pandas as pd
import pytest

from faults.test_kills import require_champion
from faults.workplace import MODEL, name_differences
from faults.works import TRAINING, WORKS

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.faults

ROUNDS = 2
# When they began, how long it took, and whatever is made of that.
TIMED = ("history.csv", "summary.json", "origin.json", "training_summary.json", "learning_curves.png")
TIMED += ("display.json", "result.json", "report.html", "model_card.md")
# MLflow keeps a row of what was deleted.
VERSIONS = "SELECT version FROM model_versions WHERE current_stage != 'Deleted_Internal'"
OTHER = ["--pipelines", "train_vgg16", "--params", "models.vgg16.training.epochs=3"]


def run_both(workplace, chance, first, second) -> list[int]:
    """Start two commands some seconds apart; gives how they ended, with what they said of it in the log."""
    commands = [workplace.start(first)]
    time.sleep(chance.uniform(0, 6))
    commands.append(workplace.start(second))
    ends = [command.end() for command in commands]
    logger.warning("ended with %s: %s", ends, [line for command in commands for line in command.errors])
    return ends


def require_whole_history(workplace, model: str, epochs: int) -> None:
    history = pd.read_csv(workplace.data / f"07_model_output/{model}/history.csv")
    assert list(history["epoch"]) == list(range(1, epochs + 1))


def test_two_trainings_of_one_model(workplace, chance):
    workplace.start(TRAINING.options).succeed()
    expected = workplace.contents(*TIMED)
    workplace.reset(TRAINING.outputs)
    assert set(run_both(workplace, chance, TRAINING.options, TRAINING.options)) <= {0, 1}
    workplace.start(TRAINING.options).succeed()
    assert name_differences(workplace.contents(*TIMED), expected) == []
    require_whole_history(workplace, MODEL, 5)
    assert set(workplace.runs) == {"FINISHED"}


def test_trainings_of_two_models(workplace, chance):
    workplace.start(TRAINING.options).succeed()
    workplace.start(OTHER).succeed()
    expected = workplace.contents(*TIMED)
    workplace.reset(TRAINING.outputs)
    ends = run_both(workplace, chance, TRAINING.options, OTHER)
    for options, end in zip((TRAINING.options, OTHER), ends, strict=True):
        if end:
            workplace.start(options).succeed()
    rows = expected.pop("08_reporting/evaluations.jsonl").splitlines()
    assert name_differences(workplace.contents("evaluations.jsonl", *TIMED), expected) == []
    require_whole_history(workplace, MODEL, 5)
    require_whole_history(workplace, "vgg16", 3)
    written = (workplace.data / "08_reporting/evaluations.jsonl").read_bytes().splitlines()
    assert sorted(written) == sorted(rows)
    assert set(workplace.runs) == {"FINISHED"}


def is_opinion(name: str) -> bool:
    return name.startswith("07_model_output/opinions")


def test_two_promotions(workplace, chance):
    work = WORKS["promote"]
    workplace.reset(work.outputs)
    workplace.start(work.options).succeed()
    expected = workplace.contents(*work.left_out)
    for _ in range(ROUNDS):
        workplace.reset(work.outputs)
        ends = run_both(workplace, chance, work.options, work.options)
        versions = workplace.ask_mlflow(VERSIONS)
        assert len(versions) == 1 or (not versions and 0 not in ends)
        workplace.start(work.options).succeed()
        require_champion(workplace)
        workplace.start(work.options).succeed()
        mine = {name: content for name, content in workplace.contents(*work.left_out).items() if not is_opinion(name)}
        assert name_differences(mine, expected) == []
        assert workplace.ask_mlflow(VERSIONS) == versions or not versions
        assert set(workplace.runs) == {"FINISHED"}
