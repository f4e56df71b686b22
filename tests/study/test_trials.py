"""Trials run as commands of their own, and are told hopeless by their epochs."""

import json
import os
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.session import Session
from leukoscope.core.storage import hold
from leukoscope.study import commands, trials
from leukoscope.study.trials import Trial, TrialProcesses
from leukoscope.training.runs import TrainingRuns
from made_search import MadeTrials, make_ledger

VALUES = {
    "training.learning_rate": 1e-3,
    "training.dropout": 0.25,
    "training.batch_size": 16,
    "training.warmup_epochs": 0,
    "augmentation.stain": 0.1,
}


@pytest.fixture
def ledger(tmp_path):
    return make_ledger(tmp_path)


@pytest.fixture
def trial():
    return Trial(3, "vgg16", "holdout", VALUES, "identity")


def make_place(ledger, parent=None, **session) -> TrialProcesses:
    nodes = ["vgg16.train_classifier", "vgg16.score_validation"]
    return TrialProcesses(nodes, "train_vgg16,validation", Session(**session), ledger, parent)


def test_a_trial_is_given_what_the_search_was_and_its_own_values(ledger, trial, tmp_path):
    given = {
        "search": {"entry": "vgg16"},
        "seed": 7,
        "models": {"vgg16": {"training": {"epochs": 5, "dropout": 0.5}}, "resnet50": {"label": "other"}},
    }
    options = make_place(ledger, project=tmp_path, env="demo", source="conf", given=given).describe(trial)
    training = {"epochs": 5, "learning_rate": 1e-3, "dropout": 0.25, "batch_size": 16, "warmup_epochs": 0}
    entry = {"training": training, "augmentation": {"stain": 0.1}}
    assert options == {
        "env": "demo",
        "conf_source": "conf",
        "pipelines": "train_vgg16,validation",
        "node_names": "vgg16.train_classifier,vgg16.score_validation",
        "params": {"seed": 7, "models": {"vgg16": entry, "resnet50": {"label": "other"}}},
    }
    assert given["models"]["vgg16"] == {"training": {"epochs": 5, "dropout": 0.5}}


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Let commands be a program of ours."""

    def put(code: str) -> Path:
        package = tmp_path / "stand_in.py"
        package.write_text(code)
        monkeypatch.setattr(commands, "_SOURCE", str(tmp_path))
        monkeypatch.setattr(commands, "_NAME", "stand_in")
        monkeypatch.setattr(trials, "_SECONDS_BETWEEN_LOOKS", 0.05)
        return tmp_path

    return put


def test_a_trial_that_ends_well_is_marked_with_its_scores(ledger, trial, stand_in):
    MadeTrials(ledger).make(trial)
    project = stand_in("import os; print(os.environ['MLFLOW_RUN_CONTEXT'])")
    (ran,) = make_place(ledger, "parent", project=project).run([trial])
    assert ran.reason is None
    assert ran.scored.scores["grey"] == 0.5
    assert ran.scored.place.startswith("holdout/runs/")
    assert ledger.find(trial) == ran.scored
    assert list(ledger.folder.iterdir()) == []
    (again,) = make_place(ledger, project=project / "nowhere").run([trial])  # where no command could be run
    assert (again.scored, again.seconds) == (ran.scored, 0)


def test_a_trial_that_fails_is_told_by_its_last_line_and_its_log_stays(ledger, trial, stand_in):
    project = stand_in("print('Error: no memory'); raise SystemExit(1)")
    (ran,) = make_place(ledger, project=project).run([trial])
    assert (ran.scored, ran.reason) == (None, "no memory")
    assert [file.name for file in ledger.folder.iterdir()] == ["vgg16-trial-3.log"]


def test_a_trial_waits_for_what_a_killed_search_left_at_work(ledger, trial, stand_in, caplog):
    MadeTrials(ledger).make(trial)
    begun = Event()

    def train() -> None:
        with hold(ledger.home / "vgg16"):
            begun.set()
            time.sleep(1)

    Thread(target=train).start()
    begun.wait()
    (ran,) = make_place(ledger, project=stand_in("")).run([trial])
    assert ran.reason is None
    assert ran.seconds >= 0.9
    assert "Another run is training vgg16" in caplog.text


def test_the_scores_of_another_model_are_not_taken_for_the_trials(ledger, trial, stand_in):
    MadeTrials(ledger).make(trial)
    file = ledger.outputs / "vgg16" / "validation_scores.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model": "another"}))
    (ran,) = make_place(ledger, project=stand_in("")).run([trial])
    assert ran.scored is None
    assert "Nothing whole was left of vgg16, trial 3" in ran.reason
    with pytest.raises(InputError):
        ledger.mark(Trial(4, "vgg16", "fold-1-of-5", VALUES, "identity"), 1)


def test_a_training_by_another_recipe_is_not_taken_for_the_trial(ledger, trial):
    MadeTrials(ledger).make(trial)
    key = ledger.home / "vgg16" / ledger.mark(trial, 1).place / "key.json"
    for part, recipe in (("recipe", {"dropout": 0.3}), ("augmentation", {"stain": 0.2})):
        key.write_text(json.dumps({part: recipe, "split": "holdout"}))
        with pytest.raises(InputError, match="another run may have trained vgg16"):
            ledger.mark(trial, 1)
    key.write_text(json.dumps({"recipe": {"dropout": 0.25, "epochs": 3}, "augmentation": {"stain": 0.1}}))
    assert ledger.mark(trial, 1) == ledger.find(trial)


@pytest.mark.parametrize("content", ["", "[]", '{"trial": "identity"}', '{"trial": "identity", "scores": {"grey": 1}}'])
def test_a_damaged_mark_is_none(ledger, trial, content):
    MadeTrials(ledger).make(trial)
    mark = ledger.home / "vgg16" / ledger.mark(trial, 1).place / "trial.json"
    assert ledger.find(trial)
    mark.write_text(content)
    assert ledger.find(trial) is None


def test_a_hopeless_trial_is_ended_with_its_process(ledger, stand_in, tmp_path):
    seen = []

    def is_hopeless(history):
        seen.append(len(history))
        return len(history) >= 2

    trial = Trial(1, "vgg16", "holdout", VALUES, "identity", is_hopeless)
    old = TrainingRuns(ledger.home / "vgg16").start({"recipe": "of before", "engine": {}}).journal
    for epoch in (1, 2, 3):
        old.keep(epoch, 1.0, Path.touch, Path.touch)
        old.append({"epoch": epoch, "validation_loss": 1.0})
    code = f"""
import os, sys, time
from pathlib import Path
Path({str(tmp_path / "process")!r}).write_text(str(os.getpid()))
time.sleep(0.3)
sys.path.insert(0, {os.path.dirname(os.path.dirname(os.path.dirname(trials.__file__)))!r})
from leukoscope.training.runs import TrainingRuns
journal = TrainingRuns(Path({str(ledger.home / "vgg16")!r})).start({{"recipe": "new", "engine": {{}}}}).journal
for epoch in range(1, 60):
    journal.keep(epoch, 1.0, Path.touch, Path.touch)
    journal.append({{"epoch": epoch, "validation_loss": 1.0}})
    time.sleep(1)
"""
    began = time.monotonic()
    (ran,) = make_place(ledger, project=stand_in(code)).run([trial])
    assert (ran.scored, ran.reason) == (None, None)
    assert time.monotonic() - began < 50
    assert 3 not in seen  # the training of before is not its own
    assert not Path(f"/proc/{(tmp_path / 'process').read_text()}").exists() or sys.platform != "linux"
