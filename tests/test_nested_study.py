"""A study that searches within its folds, on drawn smears: killed in a search, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.pipelines.splitting.nodes import assign_splits
from leukoscope.pipelines.splitting.options import SplittingOptions

pytestmark = pytest.mark.slow  # tests/study/test_nested.py has the same of made trials

SMALL = "models.four_layer_cnn.training.input_size=32,models.four_layer_cnn.training.epochs=2"
STUDY = f"study.entries=four_layer_cnn,study.search=true,search.trials=2,study.folds=2,study.seeds=1,{SMALL}"


def start(project: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "leukoscope", "--env", "demo", "--pipelines", "study", "--params", STUDY]
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db"}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=project, env=environment, **pipe)


def list_trainings(project: Path, fold: int) -> dict[str, dict]:
    keys = (project / f"data/demo/06_models/four_layer_cnn/fold-{fold}-of-2/runs").glob("*/key.json")
    return {file.parent.name: json.loads(file.read_text()) for file in keys}


def test_each_fold_searches_without_its_test_images_and_goes_on_where_it_was_killed(project):
    process = start(project)
    models = project / "data/demo/06_models"
    while process.poll() is None and not list(models.glob("*/fold-1-of-2/runs/*/trial.json")):
        time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, output
    (first,) = list(models.glob("*/fold-1-of-2/runs/*/trial.json"))
    before = first.read_bytes(), (first.parent / "summary.json").stat().st_mtime_ns
    process = start(project)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert (first.read_bytes(), (first.parent / "summary.json").stat().st_mtime_ns) == before
    units = pd.read_csv(project / "data/demo/08_reporting/study_units.csv")
    manifest = pd.read_parquet(project / "data/demo/02_intermediate/manifest.parquet")
    for unit in units.itertuples():
        splits = assign_splits(manifest, SplittingOptions(fold=f"{unit.fold} of 2"), unit.seed)
        trainings = list_trainings(project, unit.fold)
        assert len(trainings) == 2
        assert {key["splits"] for key in trainings.values()} == {fingerprint_table(splits)}
        evaluation = project / f"data/demo/06_models/four_layer_cnn/{unit.run}/evaluation"
        tested = set(pd.read_parquet(next(evaluation.glob("*.parquet")))["image_id"])
        assert tested == set(splits.loc[splits["split"] == "test", "image_id"])
        chosen = json.loads(unit.chosen)
        assert trainings[Path(unit.run).name]["recipe"]["dropout"] == chosen["training.dropout"]
    # Of trials nobody has predicted a test image.
    evaluations = (project / "data/demo/08_reporting/evaluations.jsonl").read_text().splitlines()
    assert len(evaluations) == 2
    pooled = pd.read_parquet(project / "data/demo/07_model_output/four_layer_cnn/study_out_of_fold.parquet")
    assert len(pooled) == pooled["image_id"].nunique() == 96
