"""All folds of a cross-validation, one command each, in a project of its own: none takes anything from another."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from leukoscope import cli

# A head alone learns in seconds.
SMALL = "training.input_size=32" + "".join(
    f",models.mobilenet_v2.training.{choice}" for choice in ("input_size=32", "epochs=2", "trainable=head")
)
TRAIN = ("--pipelines", "train_mobilenet_v2", "--to-nodes", "mobilenet_v2.keep_evaluation")


def kedro(project: Path, *arguments: str, code: int = 0) -> str:
    """Do what ``kedro run`` does, in this process, which has loaded TensorFlow once for all."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")
        environment.chdir(project)
        bootstrap_project(project)
        done = CliRunner().invoke(cli.run, ["--env", "demo", *arguments])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


pytestmark = pytest.mark.slow  # tests/pipelines/test_cross_validation.py has the same of made predictions


@pytest.fixture(scope="module")
def folds(project) -> Path:
    for number in (1, 2, 3):
        kedro(project, *TRAIN, "--params", f"{SMALL},splitting.fold={number} of 3")
    return project / "data/demo"


def test_every_fold_has_a_training_of_its_own_and_they_are_pooled(project, folds):
    home = folds / "06_models/mobilenet_v2"
    trainings = sorted(path.parent for path in home.glob("*/runs/*/summary.json"))
    assert [path.relative_to(home).parts[0] for path in trainings] == [f"fold-{number}-of-3" for number in (1, 2, 3)]
    assert len(list(home.glob("*/runs/*/evaluation/facts.json"))) == 3
    assert home / (home / "current").read_text().strip() == trainings[-1]
    kedro(project, "--pipelines", "cross_validation")
    row = pd.read_csv(folds / "08_reporting/cross_validation.csv").iloc[0]
    pooled = pd.read_parquet(folds / "07_model_output/mobilenet_v2/out_of_fold.parquet")
    manifest = pd.read_parquet(folds / "02_intermediate/manifest.parquet")
    assert sorted(pooled["image_id"]) == sorted(manifest.loc[manifest["status"] == "accepted", "image_id"])
    assert (row["model"], row["folds"], row["images"]) == ("mobilenet_v2", 3, len(pooled))
    assert row["accuracy"] == pytest.approx((pooled["label"] == pooled["predicted"]).mean())
    parts = pd.read_csv(folds / "08_reporting/cross_validation_folds.csv")
    by_fold = (pooled["label"] == pooled["predicted"]).groupby(pooled["fold"]).mean()
    assert parts["accuracy"].to_numpy() == pytest.approx(by_fold.to_numpy())
    assert (folds / "08_reporting/cross_validation.png").stat().st_size > 10_000
    # The last fold's predictions are those that other tools find.
    last = pd.read_parquet(folds / "07_model_output/mobilenet_v2/predictions.parquet").query("split == 'test'")
    assert set(last["image_id"]) == set(pooled.loc[pooled["fold"] == 3, "image_id"])


def test_a_fold_comes_back_without_being_trained_and_nothing_else_changes(project, folds, caplog):
    home = folds / "06_models/mobilenet_v2"
    before = {path: path.read_bytes() for path in home.glob("*/runs/*/*.*") if path.suffix != ".lock"}
    with caplog.at_level(logging.INFO):
        kedro(project, *TRAIN, "--params", f"{SMALL},splitting.fold=1 of 3")
    assert "not trained again" in caplog.text
    assert (home / "current").read_text().startswith("fold-1-of-3/runs/")
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(home.glob("*/runs/*/key.json"))) == 3


def test_another_recipe_is_incomplete_until_it_has_all_folds(project, folds, caplog):
    kedro(project, *TRAIN, "--params", f"{SMALL},splitting.fold=1 of 3,models.mobilenet_v2.training.dropout=0.3")
    kedro(project, "--pipelines", "cross_validation")
    assert "An older set of folds is whole, and is used" in caplog.text
    assert "fold 2 has another training.recipe.dropout" in caplog.text
    assert '--env demo --params "splitting.fold=2 of 3"' in caplog.text
