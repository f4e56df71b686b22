"""A search on drawn smears in a project of its own: cut off in the middle and gone on with, and its best is trained."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.slow  # tests/study and tests/pipelines/test_search.py have the same of made trials

SMALL = "models.four_layer_cnn.training.input_size=32,models.four_layer_cnn.training.epochs=2"
SEARCH = f"search.trials=3,search.objective=validation_loss|grey,{SMALL}"
TUNED = "four_layer_cnn_tuned"


def start(project: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "leukoscope", "--env", "demo", *options]
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db"}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=project, env=environment, **pipe)


def run(project: Path, *options: str) -> str:
    process = start(project, *options)
    output = " ".join(process.communicate()[0].split())
    assert process.returncode == 0, output
    return output


def list_marks(project: Path) -> list[Path]:
    return sorted((project / "data/demo/06_models").glob("*/holdout/runs/*/trial.json"))


@pytest.fixture(scope="module")
def finished(project) -> str:
    """Cut a search off after its first trial, and go on with it."""
    process = start(project, "--pipelines", "search", "--params", SEARCH)
    while process.poll() is None and not list_marks(project):
        time.sleep(0.5)
    time.sleep(2)  # into the second trial
    process.send_signal(signal.SIGTERM)
    output = process.communicate()[0]
    assert process.returncode == 143, output
    assert len(list_marks(project)) == 1
    page = (project / "data/demo/08_reporting/search.html").read_text()
    assert "1 of 3 trials have ended" in page
    assert "The search has not finished" in page
    return run(project, "--pipelines", "search", "--params", SEARCH)


def test_a_search_goes_on_where_it_was_cut_off(project, finished):
    assert "The search has 3 trials, of which 1 have ended" in finished
    assert len(list_marks(project)) == 3
    assert len(list((project / "data/demo/06_models").glob("*/*/runs/*"))) == 3  # each training once
    table = pd.read_csv(project / "data/demo/08_reporting/search.csv")
    assert table["trial"].tolist() == [1, 2, 3]
    assert (table["state"] == "finished").all()
    assert (table["epochs"] == 2).all()
    assert table["best"].any()
    assert table["validation_loss"].between(0, 5).all()
    assert "3 of 3 trials have ended" in (project / "data/demo/08_reporting/search.html").read_text()


def test_no_test_image_was_predicted(project, finished):
    outputs = {path.name for path in (project / "data/demo").rglob("*") if path.is_file()}
    assert "validation_scores.json" in outputs
    assert outputs.isdisjoint({"predictions.parquet", "opinions.parquet", "metrics.json", "evaluations.jsonl"})


def test_its_trials_are_children_of_its_run(project, finished):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("leukoscope-demo")
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    trials = {run.data.tags["unit"]: run for run in runs.values() if "unit" in run.data.tags}
    assert {f"four_layer_cnn, trial {number}" for number in (1, 2, 3)} == set(trials)
    parents = {run.data.tags["mlflow.parentRunId"] for run in trials.values()}
    assert {runs[parent].info.run_name for parent in parents} == {"search"}


def test_what_it_found_is_trained_as_an_entry(project, finished):
    found = (project / "data/demo/08_reporting/search_best.yml").read_text()
    names = [line.strip(" :") for line in found.splitlines() if line.startswith(f"  {TUNED}")]
    (project / "conf/demo/parameters_search_best.yml").write_text(found)
    name = names[0]
    run(project, "--pipelines", f"train_{name}", "--to-nodes", f"{name}.train_classifier")
    tuned = list((project / f"data/demo/06_models/{name}/holdout/runs").iterdir())
    # The same training: its folder is called by what determines it.
    trained = {mark.parent.name for mark in list_marks(project)}
    assert {folder.name for folder in tuned} <= trained
