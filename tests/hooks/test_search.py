"""A search that cannot be made is refused before anything runs."""

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from leukoscope import cli
from leukoscope.study import search
from refusals import assert_refused


@pytest.fixture
def run(project_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(project_path)
    bootstrap_project(project_path)
    options = ["--env", "demo", "--verbose", "--pipelines", "search", "--params"]
    return lambda *given: CliRunner().invoke(cli.run, [*options, *given])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("search.entry=resnet5", "did you mean 'resnet50'?"),
        ("search.entry=putzu_svm", "putzu_svm, of the kind crafted, which has no recipe to search"),
        ("search.entry=kappa_vote", "kappa_vote, of the kind ensemble"),
        ("search.entry=mobilenet_v3_student", "which learns from"),
        ("search.entry=null", "search.entry names no model"),
        ("search.trials=0", "search.trials is 0"),
        ("search.objective=test_accuracy", "'test_accuracy'"),
        ("search.objective=worst_series", "splitting.group_by is 'duplicate', so that no series are known"),
        ("search.space.training.nonsense.log=1", "there is no parameter 'nonsense' of training"),
        ("training.weight_decay=0.1,models.four_layer_cnn.training.block_rates.stem=0.1", "block_rates"),
    ],
)
def test_it_is_told_in_one_line(run, parameters, words):
    assert_refused(run(parameters), words)


def test_without_optuna_nothing_runs(run, monkeypatch):
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    assert "pip install -c requirements.lock -e '.[search]'" in run("search.trials=1").output
