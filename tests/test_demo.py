"""The way from made smears to a comparison, through the command line, in a project of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import mlflow
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

import named_columns
from leukoscope.synthetic import write_smears

SMALL = (
    "robustness.images=8,training.input_size=32,models.mobilenet_v2.training.input_size=32,"
    "models.mobilenet_v2.training.epochs=2"
)


# Minutes, of which each part has quicker tests: test_cli.py runs an ingestion by its command, pipelines/ has the nodes,
# hooks/test_tracking.py what MLflow is told, and reader/, serving/ and test_notebooks.py the rest.
pytestmark = pytest.mark.slow


def kedro(project: Path, *arguments: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "KEDRO"))}
    environment |= variables
    command = [sys.executable, "-m", "kedro", "run", "--env", "demo", *arguments]
    answer = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return " ".join((answer.stdout + answer.stderr).split())


@pytest.fixture(scope="module")
def first_run(project) -> str:
    return kedro(project, "--pipelines", "train_mobilenet_v2", "--params", SMALL)


@pytest.fixture(scope="module")
def data(project, first_run) -> Path:
    return project / "data/demo"


def test_every_place_is_filled(data):
    for place in (
        "02_intermediate/manifest.parquet",
        "05_model_input/splits.parquet",
        "06_models/mobilenet_v2/model.keras",
        "07_model_output/mobilenet_v2/predictions.parquet",
        "08_reporting/mobilenet_v2/metrics.json",
        "07_model_output/mobilenet_v2/opinions.parquet",
        "08_reporting/mobilenet_v2/report.html",
        "08_reporting/mobilenet_v2/model_card.md",
        "08_reporting/ingestion_figure.png",
        "08_reporting/montage.png",
    ):
        assert (data / place).stat().st_size > 0


def test_tables_have_the_columns_that_the_catalog_names(data):
    checked = set()
    for name, entry in named_columns.read_entries().items():
        if "filepath" not in entry or name.startswith("reviewed_"):  # which are other entries' files
            continue
        place = entry["filepath"].replace("${globals:data}", str(data)).replace("{model}", "mobilenet_v2")
        if Path(place).is_file() and place.endswith((".csv", ".parquet")):
            table = pd.read_csv(place) if place.endswith(".csv") else pd.read_parquet(place)
            assert named_columns.list_unnamed(name, table) == [], name
            checked.add(name)
    assert {"manifest", "split_report", "{model}.history", "{model}.predictions", "{model}_features"} <= checked


def test_predictions_are_those_of_the_saved_model(data):
    predictions = pd.read_parquet(data / "07_model_output/mobilenet_v2/predictions.parquet")
    records = pd.read_parquet(data / "02_intermediate/smears/records.parquet").set_index("image_id")
    pixels = np.load(data / "02_intermediate/smears/pixels.npy")
    some = predictions.head(8)
    model = keras.saving.load_model(data / "06_models/mobilenet_v2/model.keras", safe_mode=True)
    probabilities = model.predict(pixels[records.loc[some["image_id"], "row"].astype(int)], verbose=0)
    assert some.filter(like="probability_").to_numpy() == pytest.approx(probabilities, abs=1e-4)
    assert set(predictions["split"]) == {"train", "validation", "test"}


def test_the_run_is_tracked(project, data):
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    runs = mlflow.search_runs(experiment_names=["leukoscope-demo"])
    first = runs.iloc[-1]
    metrics = json.loads((data / "08_reporting/mobilenet_v2/metrics.json").read_text())
    assert first["tags.mlflow.runName"] == "mobilenet_v2"
    assert first["status"] == "FINISHED"
    assert first["metrics.test_accuracy"] == pytest.approx(metrics["test_accuracy"])
    assert first["params.training.input_size"] == "32"
    assert first["tags.data_fingerprint"]
    history = mlflow.MlflowClient().get_metric_history(first["run_id"], "epoch/train_loss")
    assert [point.step for point in history] == [1, 2]
    artifacts = {one.path for one in mlflow.MlflowClient().list_artifacts(first["run_id"])}
    assert {"predictions.parquet", "confusion_matrix.png", "split_report.csv"} <= artifacts
    assert {"report.html", "model_card.md", "opinions.parquet", "outliers.csv"} <= artifacts
    assert str(project / "mlartifacts") in first["artifact_uri"]


def test_the_tracked_model_has_a_signature_and_class_names_and_predicts(project, first_run):
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    run = mlflow.search_runs(experiment_names=["leukoscope-demo"]).iloc[-1]
    models = mlflow.search_logged_models(
        experiment_ids=[run["experiment_id"]], filter_string=f"source_run_id='{run['run_id']}'", output_format="list"
    )
    model = mlflow.pyfunc.load_model(models[0].model_uri)
    assert model.metadata.metadata["class_names"] == ["Benign", "Early", "Pre", "Pro"]
    assert model.metadata.signature.inputs.inputs[0].type == np.dtype("uint8")
    assert np.asarray(model.predict(np.zeros((1, 40, 40, 3), "uint8"))).shape == (1, 4)


def count_runs(project: Path) -> int:
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    return len(mlflow.search_runs(search_all_experiments=True))


def test_the_same_command_again_says_that_nothing_has_changed_and_makes_no_run(project, data):
    """Whatever data set of the project a training and the comparison have: of all of them the content can be told."""
    command = ["--pipelines", "train_mobilenet_v2,comparison", "--params", SMALL]
    assert "Nothing has changed" not in kedro(project, *command)
    before = count_runs(project)
    again = kedro(project, *command)
    assert "Nothing has changed since " in again
    assert "MobileNetV2 0." in again  # the table of results
    assert "not trained again" not in again
    assert count_runs(project) == before
    damaged = data / "08_reporting/comparison.png"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert "Nothing has changed" not in kedro(project, *command)
    assert count_runs(project) == before + 1


def test_again_nothing_is_decoded_or_trained_twice(project, first_run):
    again = kedro(project, "--force", "--pipelines", "train_mobilenet_v2", "--params", SMALL)
    assert "not decoded again" not in first_run
    assert "not decoded again: 96 images" in again
    assert "not trained again" in again


@pytest.fixture(scope="module")
def compared(project, data) -> None:
    kedro(project, "--pipelines", "comparison")


def test_what_has_results_is_compared(data, compared):
    table = pd.read_csv(data / "08_reporting/comparison.csv")
    assert table["model"].tolist() == ["mobilenet_v2"]
    assert not [name for name in table if name.startswith("report_")]  # which are of real smears
    assert (table["drawn_images"] == 96).all()
    assert (data / "08_reporting/comparison.png").stat().st_size > 10_000


def test_the_notebook_shows_results(project, project_path, compared):
    notebook = nbformat.read(project_path / "notebooks/results.ipynb", as_version=4)
    where = {"metadata": {"path": str(project)}}
    NotebookClient(notebook, kernel_name="python3", timeout=600, resources=where).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [{kind for output in cell.outputs for kind in output.get("data", {})} for cell in code[2:]]
    assert sum("image/png" in kinds for kinds in shown) == 3
    assert all(kinds for kinds in shown)


def test_pages_and_cards_of_drawn_smears_say_so(data):
    page = (data / "08_reporting/mobilenet_v2/report.html").read_text()
    header = page.split("<header>")[1].split("</header>")[0]
    assert "Drawn data: Leukoscope drew all 96 images." in header
    assert "published study" not in page.split("</header>")[1]
    assert "flow cytometry" not in page.split("</header>")[1]
    card = (data / "08_reporting/mobilenet_v2/model_card.md").read_text()
    assert "**Drawn data: Leukoscope drew all 96 images." in card.split("## ")[0]
    assert "Reference standard: the class that each smear was drawn for." in card


def test_images_of_another_source_are_scored(project, data, tmp_path):
    write_smears(tmp_path, {"Benign": 4, "Pro": 4}, 96, seed=5, magnification=3.0)
    first = next((data / "01_raw/leukemia/Original/Benign").glob("*"))
    (tmp_path / "Original/Benign/copy.jpg").write_bytes(first.read_bytes())
    folders = "external.class_map.Benign=Benign,external.class_map.Pro=malignant"
    said = kedro(project, "--pipelines", "external", "--params", f"external_images={tmp_path},{folders}")
    assert "1 external image is among those that the classifiers were made of" in said
    row = pd.read_csv(data / "08_reporting/external.csv").iloc[0]
    assert row["model"] == "mobilenet_v2"
    assert row["external_images"] == 8
    assert 0 <= row["external_screening_auc"] <= 1
    page = (data / "08_reporting/mobilenet_v2/external.html").read_text()
    assert "MobileNetV2 on external images" in page
    header = page.split("<header>")[1].split("</header>")[0]
    assert "Drawn data: Leukoscope drew all 8 images." in header
    assert "Trained on drawn data: Leukoscope drew all 96 images of the data that the classifier learned from" in header


def test_new_smears_get_opinions(project, data, tmp_path):
    write_smears(tmp_path, {"Benign": 2, "Pro": 3}, 96, seed=6, magnification=3.0)
    (tmp_path / "notes.txt").write_text("no smear")
    said = kedro(project, "--pipelines", "predict", "--params", f"images={tmp_path}")
    assert "MobileNetV2 reads; validation accuracies: MobileNetV2" in said
    assert "6 files: " in said
    table = pd.read_csv(data / "07_model_output/opinions.csv").set_index("image_id")
    assert len(table) == 6
    assert table.loc["notes", "reason"] == "unreadable: not an image of a known format"
    assert set(table["trained_on"]) == {"drawn images"}
    assert table["drawn"].sum() == 5
    assert set(table["engine"]) == {"ONNX Runtime"}
    assert "Trained on drawn data: Leukoscope drew all" in said
    given = table.drop("notes").filter(regex="probability_(benign|early|pre|pro)$")
    assert given.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    again = kedro(project, "--pipelines", "predict", "--params", f"images={tmp_path}", PYTHONPROFILEIMPORTTIME="1")
    assert "Parts that were read before, and are not read again: 1 of 1" in again
    assert "onnx" in again
    assert not re.search(r"\| (keras|tensorflow|mlflow)\b", again)


def test_the_best_model_becomes_the_champion_once(project, data):
    promote = "promotion.min_images=5"
    assert "is promoted: there was no champion" in kedro(project, "--pipelines", "promote", "--params", promote)
    again = kedro(project, "--pipelines", "promote", "--params", promote)
    assert "is not promoted: it is the champion already" in again
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    version = mlflow.MlflowClient().get_model_version_by_alias("leukoscope", "champion")
    assert (str(version.version), version.tags["experiment"]) == ("1", "leukoscope-demo")
    assert version.description.startswith("# Model card: MobileNetV2")
    said = kedro(project, "--pipelines", "reader", "--params", "reader.model_uri=models:/leukoscope@champion")
    assert "Traceback" not in said


def test_a_model_is_not_evaluated_on_splits_that_it_was_not_trained_on(project, data):
    command = [sys.executable, "-m", "kedro", "run", "--env", "demo", "--params", "seed=7"]
    for pipelines in (["--pipelines", "splitting"], ["--pipelines", "evaluation", "--namespaces", "mobilenet_v2"]):
        answer = subprocess.run([*command, *pipelines], cwd=project, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "Error: The trained model saw other splits" in answer.stderr
    assert "Traceback" not in answer.stderr
