"""A project that was moved or copied: MLflow's records name the place of before."""

import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from leukoscope.core.errors import InputError
from leukoscope.hooks import TrackingHook
from leukoscope.relocation import relocate_artifacts, require_place

PIPELINE = Pipeline([Node(lambda number: number, "number", "result", name="compute")])


@pytest.fixture
def before(project, tmp_path, monkeypatch) -> Path:
    """A project with one run, of which one file and one registered model are kept."""
    place = tmp_path / "a place/before"
    shutil.copytree(project, place)
    run(place, monkeypatch, "old")
    mlflow.MlflowClient().create_registered_model("reader")
    (tmp_path / "model.txt").write_text("model")
    folder = place / "mlartifacts/models/m-1"
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text("model")
    mlflow.MlflowClient().create_model_version("reader", folder.as_uri())
    return place


def run(place: Path, monkeypatch, text: str, **facts) -> str:
    """Run a session in the project that logs one file; gives its run's address of artefacts."""
    monkeypatch.chdir(place)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # which MLflow sets itself
    bootstrap_project(place)
    hook, catalog = TrackingHook(), DataCatalog({"number": MemoryDataset(1)})
    with KedroSession.create(place, env="demo") as session:
        hook.after_context_created(session.load_context())
    facts = dict.fromkeys(("tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "load_versions")) | facts
    facts |= {"project_path": str(place), "runner": "SequentialRunner"}
    hook.before_pipeline_run(facts, PIPELINE, catalog)
    if hook.tracker is None:
        return ""
    mlflow.log_text(text, "page.txt")
    address = mlflow.get_artifact_uri()
    hook.after_pipeline_run()
    return address


def content(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in (place / "mlartifacts").rglob("*")}


@pytest.mark.parametrize("how", [shutil.move, pytest.param(shutil.copytree, marks=pytest.mark.slow)])
def test_a_project_elsewhere_is_refused_until_it_is_relocated_and_keeps_all(before, tmp_path, monkeypatch, how):
    after = tmp_path / "after"
    how(before, after)
    there = content(before)
    with pytest.raises(
        InputError, match=r"Nothing was run.*a place/before/mlartifacts.*after/mlartifacts.*`kedro relocate`"
    ):
        run(after, monkeypatch, "new")
    assert content(before) == there
    assert mlflow.search_runs(search_all_experiments=True)["status"].tolist() == ["FINISHED"]
    assert relocate_artifacts(after) == 4
    address = run(after, monkeypatch, "new")
    assert Path(address.removeprefix("file://")).is_relative_to(after / "mlartifacts")
    assert content(before) == there
    runs = mlflow.search_runs(search_all_experiments=True, order_by=["start_time ASC"])
    texts = [mlflow.artifacts.load_text(f"{uri}/page.txt") for uri in runs["artifact_uri"]]
    assert texts == ["old", "new"]
    shutil.rmtree(before, ignore_errors=True)
    folder = Path(mlflow.artifacts.download_artifacts("models:/reader/1", dst_path=str(tmp_path / "fetched")))
    assert (folder / "model.txt").read_text() == "model"
    assert relocate_artifacts(after) == 0


@pytest.mark.slow
def test_what_is_not_tracked_may_run_anywhere(before, tmp_path, monkeypatch):
    after = tmp_path / "after"
    shutil.move(before, after)
    assert run(after, monkeypatch, "new", pipeline_names=["ingestion", "predict"]) == ""


@pytest.mark.slow
def test_a_project_reached_by_a_link_is_where_it_was(before, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(before)
    assert "a%20place/before/mlartifacts" in run(tmp_path / "link", monkeypatch, "new")


def test_artefacts_that_were_not_copied_are_asked_for(before, tmp_path):
    after = tmp_path / "after"
    shutil.copytree(before, after, ignore=shutil.ignore_patterns("mlartifacts"))
    records = (after / "mlflow.db").read_bytes()
    with pytest.raises(InputError, match=r"artefacts are still at .*before/mlartifacts only.*cp -rn") as error:
        relocate_artifacts(after)
    assert (after / "mlflow.db").read_bytes() == records
    subprocess.run(str(error.value).partition("first: ")[2], shell=True, check=True)
    assert relocate_artifacts(after) == 4


def test_another_place_that_was_configured_is_no_move():
    with pytest.raises(
        InputError, match=r"at s3://bucket/old, and they belong at s3://bucket/new. Choose another name"
    ):
        require_place("x", "s3://bucket/old/", "s3://bucket/new")
    require_place("x", "s3://bucket/old/", "s3://bucket/old")
    require_place("x", "s3://bucket/old/", None)


@pytest.mark.slow
def test_the_command_is_kedros(before, tmp_path):
    after = tmp_path / "after"
    shutil.move(before, after)
    command = [sys.executable, "-m", "kedro", "relocate"]
    answer = subprocess.run(command, cwd=after, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "4 records of MLflow name the project's own mlartifacts now" in answer.stdout
    assert (after / "mlflow.db.before-relocation").is_file()


def test_without_a_database_there_is_nothing_to_relocate(tmp_path):
    with pytest.raises(InputError, match=r"There is no .*mlflow\.db"):
        relocate_artifacts(tmp_path)
