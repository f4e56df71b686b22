"""A study of drawn smears in a project of its own: cut off in the middle and gone on with, it trains nothing twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.slow  # tests/study and tests/pipelines/test_study.py have the same of made units

SMALL = "training.input_size=32,models.four_layer_cnn.training.input_size=32,models.four_layer_cnn.training.epochs=2"
STUDY = f"study.entries=four_layer_cnn|putzu_svm,study.folds=2,study.seeds=2,{SMALL}"


def start(project: Path, parameters: str = STUDY) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "leukoscope", "--env", "demo", "--pipelines", "study", "--params", parameters]
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db"}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=project, env=environment, **pipe)


def run(project: Path, parameters: str = STUDY, code: int = 0) -> str:
    process = start(project, parameters)
    output = " ".join(process.communicate()[0].split())
    assert process.returncode == code, output
    return output


def list_marks(project: Path) -> list[Path]:
    return sorted((project / "data/demo/06_models").glob("*/fold-*-of-2/runs/*/unit.json"))


def describe_trainings(project: Path) -> dict[Path, bytes]:
    names = ("key.json", "summary.json", "model.json")
    files = (project / "data/demo/06_models").glob("*/*/runs/*/*.json")
    return {file: file.read_bytes() for file in files if file.name in names}


@pytest.fixture(scope="module")
def cut_off(project) -> dict[Path, bytes]:
    """Cut a study off as soon as its first unit is finished; gives what it left."""
    process = start(project)
    while process.poll() is None and not list_marks(project):
        time.sleep(0.5)
    time.sleep(2)  # into the second unit
    process.send_signal(signal.SIGTERM)
    output = process.communicate()[0]
    assert process.returncode == 143, output
    marks = list_marks(project)
    assert 1 <= len(marks) < 8
    return {mark: mark.read_bytes() for mark in marks}


@pytest.fixture(scope="module")
def finished(project, cut_off) -> str:
    return run(project)


def test_a_study_goes_on_where_it_was_cut_off(project, cut_off, finished):
    assert f"8 units (2 models x 2 folds x 2 seeds), of which {len(cut_off)} are finished" in finished
    assert {mark: mark.read_bytes() for mark in cut_off} == cut_off
    assert len(list_marks(project)) == 8
    assert len(list((project / "data/demo/06_models").glob("*/*/runs/*"))) == 8  # each training once


def test_its_tables_have_every_image_once_a_seed(project, finished):
    reporting = project / "data/demo/08_reporting"
    units, study = (pd.read_csv(reporting / f"{name}.csv") for name in ("study_units", "study"))
    assert (units["state"] == "finished").all()
    assert len(units) == 8
    for row in study.itertuples():
        pooled = pd.read_parquet(project / f"data/demo/07_model_output/{row.model}/study_out_of_fold.parquet")
        assert pooled.groupby("seed")["image_id"].nunique().tolist() == [96, 96]
        assert row.accuracy == pytest.approx((pooled["label"] == pooled["predicted"]).mean())
    differences = pd.read_csv(reporting / "study_differences.csv")
    assert differences["seeds"].tolist() == [2]
    assert not differences["real"].any()
    assert "Confusion matrices" in (reporting / "study.html").read_text()


def test_each_unit_is_a_child_of_the_study_in_mlflow(project, finished):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("leukoscope-demo")
    runs = client.search_runs([experiment.experiment_id])
    (study,) = [run for run in runs if run.info.run_name == "study"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == study.info.run_id]
    assert len(runs) == 9
    assert len({child.data.tags["unit"] for child in children}) == 8
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {(run.data.params["seed"], run.data.params["splitting.fold"]) for run in children} == {
        (seed, fold) for seed in ("20250101", "20250102") for fold in ("1 of 2", "2 of 2")
    }


def test_a_finished_study_trains_nothing_again(project, finished):
    before = describe_trainings(project)
    assert "of which 8 are finished" in run(project)
    assert describe_trainings(project) == before


def test_a_unit_that_fails_is_told_after_all_others_ran(project, finished):
    """Its training's key is damaged, which its own command says."""
    mark = next(mark for mark in list_marks(project) if "putzu_svm" in str(mark))
    mark.unlink()
    (mark.parent / "key.json").write_text("{")
    output = run(project, code=1)
    assert "of which 7 are finished" in output
    units = pd.read_csv(project / "data/demo/08_reporting/study_units.csv")
    (failed,) = units[units["state"] == "failed"].itertuples()
    assert "key.json, which the training needs, cannot be read" in failed.reason
    assert f"1 of 8 units failed, and all others ran: putzu_svm, fold {failed.fold} of 2" in output
    assert "cannot be read" in (project / "data/demo/08_reporting/study.html").read_text()
