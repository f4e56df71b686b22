"""A study that cannot be made is refused before anything runs."""

import platform

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from leukoscope import cli
from leukoscope.core.session import WORKSPACE, get_session
from refusals import assert_refused


@pytest.fixture
def run(project_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(project_path)
    bootstrap_project(project_path)
    options = ["--env", "demo", "--verbose", "--pipelines", "study", "--params"]
    return lambda *given: CliRunner().invoke(cli.run, [*options, *given])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            "study.entries=resnet5",
            "no model 'resnet5', of which study.entries are some: did you mean 'resnet50'?",
        ),
        ("study.entries=", "study.entries names no model"),
        ("study.entries=|", "study.entries names no model"),
        ("study.entries=putzu_svm|putzu_svm", "putzu_svm more than once"),
        ("study.folds=1", "study.folds is 1"),
        ("study.seeds=0", "study.seeds is 0"),
        ("study.entries=kappa_vote", "kappa_vote, which is made of or taught by"),
        ("study.entries=mobilenet_v3_student", "mobilenet_v3_student, which is made of or taught by"),
        ("splitting.fold=1 of 5", "give study.folds"),
        ("study.workers=0", "study.workers is 0"),
        ("cluster.workers=0", "cluster.workers is 0"),
        ("cluster.scheduler=login1", "'login1' is no scheduler's address: expected one like tcp://login1:8786"),
    ],
)
def test_it_is_told_in_one_line(run, parameters, words):
    assert_refused(run(parameters), words)


def test_what_the_command_was_given_is_known_to_what_it_starts(run):
    run("study.entries=kappa_vote,training.epochs=7")
    session = get_session()
    assert session.env == "demo"
    assert session.given == {"study": {"entries": "kappa_vote"}, "training": {"epochs": 7}}
    assert session.source.endswith("conf")


def test_a_unit_is_the_same_session_on_any_machine_and_wherever_it_is_run(monkeypatch):
    """Else its run in MLflow would be left at work when it goes on elsewhere."""
    from kedro.pipeline import Pipeline

    from leukoscope.hooks.in_force import fingerprint_session

    def identify(node, **parameters):
        monkeypatch.setattr(platform, "node", lambda: node)
        return fingerprint_session({"project_path": "/p", "env": None}, Pipeline([]), parameters, set())

    usual = {"seed": 1, "study": {"folds": 2, "workers": 1}, "cluster": {"scheduler": None}}
    assert identify("one", **usual) != identify("two", **usual)
    spread = usual | {"study": {"folds": 2, "workers": 4}, "cluster": {"scheduler": "tcp://a:1"}}
    assert identify("one", **usual) == identify("one", **spread)
    monkeypatch.setenv(WORKSPACE, "/data/.units/one")
    assert identify("one", **usual) == identify("two", **usual)
    assert identify("one", **usual) != identify("one", **usual | {"seed": 2})
