"""MLflow has one run a model, and is asked for nothing where nothing is tracked."""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from copy import copy
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from filelock import FileLock
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from compared import make_comparison
from crafted_models import make_classifier, make_vote
from leukoscope import hooks
from leukoscope.core.errors import InputError
from leukoscope.core.stages import make_stage
from leukoscope.datasets import OptionalDataset, PartitionedDataset, TrainingJournalDataset
from leukoscope.hooks import TrackingHook
from leukoscope.hooks.in_force import parameters_in_force
from leukoscope.hooks.runs import Runs
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.runners import ModelByModelRunner
from leukoscope.training.recipe import Recipe
from made_entries import make_entry


@pytest.fixture
def tracking_uri(empty_records, tmp_path, monkeypatch) -> str:
    shutil.copy(empty_records, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    return uri


def open_context(project_path, **parameters):
    bootstrap_project(project_path)
    with KedroSession.create(project_path, env="demo", runtime_params=parameters) as session:
        return session.load_context()


def say(number: float) -> dict[str, float]:
    return {"test_accuracy": number}


def fail(metrics: dict) -> dict:
    raise ValueError("on purpose")


class Session:
    """Runs a small pipeline of namespaces under the hook, with the project's own parameters."""

    def __init__(self, project_path, **parameters) -> None:
        context = open_context(project_path, **parameters)
        self.context, self.hook = context, TrackingHook()
        self.hook.after_context_created(context)

    def run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        from kedro.framework.hooks.manager import _create_hook_manager

        manager = _create_hook_manager()
        manager.register(self.hook)
        runner = ModelByModelRunner()
        facts = dict.fromkeys(("tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "load_versions"))
        facts |= {"project_path": str(self.context.project_path), "runner": type(runner).__name__}
        self.hook.before_pipeline_run(facts, pipeline, catalog)
        try:
            runner.run(pipeline, catalog, manager)
        except (ValueError, KilledError):
            self.hook.tracker._outbox._waiting.clear()  # what was being delivered died with the process
            self.hook.on_pipeline_error()
        else:
            self.hook.after_pipeline_run()

    def runs(self) -> pd.DataFrame:
        return mlflow.search_runs(search_all_experiments=True).set_index("tags.mlflow.runName")


def scoring(namespace: str, function=None) -> Pipeline:
    nodes = [Node(say, "number", "metrics", name="say")]
    if function:
        nodes.append(Node(function, "metrics", "result", name="use"))
    return Pipeline(nodes, namespace=namespace, prefix_datasets_with_namespace=True)


def numbers(**values) -> DataCatalog:
    datasets = {f"{name}.number": MemoryDataset(value) for name, value in values.items()}
    return DataCatalog(datasets | {f"{name}.metrics": MemoryDataset() for name in values})


def test_several_models_have_a_child_run_each_with_plain_names(project_path, tracking_uri):
    session = Session(project_path)
    session.run(scoring("resnet50") + scoring("vgg16"), numbers(resnet50=0.9, vgg16=0.8))
    runs = session.runs()
    assert runs.loc["resnet50", "metrics.test_accuracy"] == 0.9
    assert runs.loc["vgg16", "metrics.test_accuracy"] == 0.8
    parent = runs.loc["__default__"]
    assert (runs.loc[["resnet50", "vgg16"], "tags.mlflow.parentRunId"] == parent["run_id"]).all()
    assert pd.isna(parent["metrics.test_accuracy"])
    assert set(runs["status"]) == {"FINISHED"}


def test_a_stage_has_no_run_of_its_own(project_path, tracking_uri):
    session = Session(project_path)
    stage = make_stage("comparison", [Node(say, "number", "metrics", name="say")])
    catalog = DataCatalog({"number": MemoryDataset(0.9), "metrics": MemoryDataset()})
    session.run(stage, catalog)
    assert set(session.runs().index) == {"__default__"}


def test_the_run_of_a_model_ends_with_the_model(project_path, tracking_uri):
    """Not with the session, whose minutes all would have otherwise."""
    status = []

    def look(metrics):
        status.append(session.runs()["status"].to_dict())
        return metrics

    session = Session(project_path)
    both = scoring("resnet50") + scoring("vgg16", look)
    late = Node(look, "vgg16.result", "comparison", name="compare")
    session.run(both + Pipeline([late]), numbers(resnet50=0.9, vgg16=0.8))
    assert status[0] == {"__default__": "RUNNING", "resnet50": "FINISHED", "vgg16": "RUNNING"}
    assert status[1] == {"__default__": "RUNNING", "resnet50": "FINISHED", "vgg16": "FINISHED"}


def test_runs_tell_of_which_images_they_are(project_path, tracking_uri):
    """The list of runs shows it, and it can be searched for."""
    manifest = pd.DataFrame(
        {"image_id": ["a", "b"], "label": ["Pro", "Pre"], "sha256": ["1", "2"], "status": "accepted"}
    )
    session = Session(project_path)
    session.run(
        scoring("resnet50") + scoring("vgg16"),
        DataCatalog({"manifest": MemoryDataset(manifest)} | dict(numbers(resnet50=0.9, vgg16=0.8).items())),
    )
    runs = mlflow.MlflowClient().search_runs(["1", "2"])
    assert len(runs) == 3
    for run in runs:
        (data,) = run.inputs.dataset_inputs
        assert data.dataset.digest == fingerprint_manifest(manifest) == run.data.tags["data_fingerprint"]
        assert json.loads(data.dataset.profile) == {"num_rows": 2}


def test_a_manifest_that_the_run_replaces_is_not_its_data(project_path, tracking_uri):
    facts = {"label": "Pro", "status": "accepted"}
    before, after = (pd.DataFrame([facts | {"image_id": name, "sha256": name}]) for name in "ab")
    catalog = numbers(resnet50=0.9)
    catalog["manifest"] = MemoryDataset(before)
    session = Session(project_path)
    session.run(Pipeline([Node(lambda: after, None, "manifest", name="ingest")]) + scoring("resnet50"), catalog)
    (run,) = mlflow.MlflowClient().search_runs(["1", "2"])
    assert [one.dataset.digest for one in run.inputs.dataset_inputs] == [fingerprint_manifest(after)]


def test_a_session_that_compares_models_says_so(project_path, tracking_uri):
    tables = make_comparison()
    nodes = [Node(copy, "number", "summary", name="summarise")]
    models = [Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=True) for name in ("resnet50", "vgg16")]
    last = Node(lambda *_: "drawn", ["resnet50.summary", "vgg16.summary"], "comparison_figure", name="draw_comparison")
    rows = {f"{row['model']}.number": MemoryDataset(row) for row in tables["comparison"].to_dict("records")}
    session = Session(project_path)
    session.run(
        sum(models, Pipeline([last])), DataCatalog(rows | {name: MemoryDataset(tables[name]) for name in tables})
    )
    runs = session.runs()
    note = runs.loc["__default__", "tags.mlflow.note.content"]
    experiment, vgg16 = runs.loc["vgg16", ["experiment_id", "run_id"]]
    assert f"[VGG16](#/experiments/{experiment}/runs/{vgg16}) | 0.900 (0.850 to 0.950)" in note
    assert runs.loc["__default__", "metrics.best_test_accuracy"] == 0.9
    assert runs.loc["__default__", "metrics.best_gain_over_colour"] == pytest.approx(0.4)
    assert "**ResNet50**: test accuracy 0.800" in runs.loc["resnet50", "tags.mlflow.note.content"]
    assert "Leukoscope" in mlflow.get_experiment(experiment).tags["mlflow.note.content"]
    assert session.hook.last_page == f"#/experiments/{experiment}/runs?viewStateShareKey=models"
    view = json.loads(mlflow.get_experiment(experiment).tags["mlflow.sharedViewState.models"])
    assert view["selectedColumns"][0] == view["orderByKey"] == "metrics.`test_accuracy`"
    assert session.hook.last_page in mlflow.get_experiment(experiment).tags["mlflow.note.content"]
    mlflow.search_runs([experiment], view["searchFilter"])  # which MLflow can read


def test_one_model_has_the_sessions_run(project_path, tracking_uri):
    session = Session(project_path)
    session.run(scoring("resnet50"), numbers(resnet50=0.9))
    runs = session.runs()
    assert list(runs.index) == ["resnet50"]
    assert runs.loc["resnet50", "metrics.test_accuracy"] == 0.9
    assert runs.loc["resnet50", "tags.model"] == "resnet50"
    experiment, run_id = runs.loc["resnet50", ["experiment_id", "run_id"]]
    assert session.hook.last_page == f"#/experiments/{experiment}/runs/{run_id}"


def test_the_parameters_in_force_are_logged_flat(project_path, tracking_uri):
    session = Session(project_path)
    session.run(scoring("inception_v3") + scoring("resnet50"), numbers(inception_v3=0.9, resnet50=0.8))
    runs = session.runs()
    own = session.context.params["models"]["inception_v3"].training.input_size
    shared = session.context.params["training"].input_size
    assert runs.loc["inception_v3", "params.training.input_size"] == str(own)
    assert runs.loc["resnet50", "params.training.input_size"] == str(shared)
    assert own != shared
    assert runs.loc["resnet50", "params.augmentation.rotation"] == str(session.context.params["augmentation"].rotation)


def test_an_augmentation_of_an_entrys_own_is_in_force_for_it():
    shared = {"training": Recipe(), "augmentation": AugmentationOptions(zoom=0.3)}
    entries = {"own": make_entry("vgg16", augmentation={"rotation": 90.0}), "plain": make_entry("vgg16")}
    logged = {name: parameters_in_force(shared | {"models": entries}, name) for name in entries}
    assert (logged["own"]["augmentation.rotation"], logged["own"]["augmentation.zoom"]) == (90.0, 0.3)
    assert (logged["plain"]["augmentation.rotation"], logged["plain"]["augmentation.zoom"]) == (20.0, 0.3)


def test_a_model_that_had_finished_is_finished_when_another_fails(project_path, tracking_uri):
    session = Session(project_path)
    session.run(scoring("resnet50") + scoring("vgg16", fail), numbers(resnet50=0.9, vgg16=0.8))
    status = session.runs()["status"]
    assert status.to_dict() == {"resnet50": "FINISHED", "vgg16": "FAILED", "__default__": "FAILED"}


def test_epochs_arrive_while_the_run_goes_on(project_path, tracking_uri):
    seen = []

    def train(number: float) -> dict[str, float]:
        logging.getLogger("leukoscope.epochs").warning(
            "epoch", extra={"model": "resnet50", "epoch": {"epoch": 1, "train_loss": 0.5}}
        )
        seen.append(mlflow.search_runs(search_all_experiments=True).iloc[0])
        return {"test_accuracy": number}

    session = Session(project_path)
    node = Node(train, "number", "metrics", name="train")
    pipeline = Pipeline([node], namespace="resnet50", prefix_datasets_with_namespace=True)
    session.run(pipeline, numbers(resnet50=0.9))
    assert seen[0]["metrics.epoch/train_loss"] == 0.5
    assert seen[0]["status"] == "RUNNING"


@pytest.mark.parametrize("runner", ["ParallelRunner", "ThreadRunner"])
def test_runners_that_would_train_at_once_are_refused(project_path, tracking_uri, runner):
    session = Session(project_path)
    with pytest.raises(InputError, match="one node after another"):
        session.hook.before_pipeline_run({"runner": runner}, scoring("resnet50"), DataCatalog())


class KilledError(BaseException):
    """No ``Exception``: nothing stops it, as nothing stops a kill."""


class Training:
    """A training of some epochs, as the hook sees one, that can be killed after any of them."""

    def __init__(self, tmp_path) -> None:
        self.folder, self.last = tmp_path, 3

    def pipeline(self, *namespaces: str) -> Pipeline:
        nodes = [Node(lambda key: key, "key", "journal", name="prepare"), Node(self.train, "journal", None, name="fit")]
        pipelines = (Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=True) for name in namespaces)
        return sum(pipelines, Pipeline([]))

    def catalog(self, *namespaces: str, seed: int = 1) -> DataCatalog:
        datasets = {f"{name}.key": MemoryDataset({"model": name, "seed": seed}) for name in namespaces}
        places = {name: str(self.folder / name / "current") for name in namespaces}
        return DataCatalog(
            datasets | {f"{name}.journal": TrainingJournalDataset(filepath=place) for name, place in places.items()}
        )

    def train(self, journal) -> None:
        for row in journal.history().to_dict("records"):
            self.log(journal, row)
        for epoch in range(journal.epochs + 1, 4):
            row = {"epoch": epoch, "train_loss": 1 / epoch, "validation_loss": 1 / epoch}
            journal.append(row)
            self.log(journal, row)
            if epoch == self.last < 3:
                raise KilledError

    def log(self, journal, row) -> None:
        record = {"model": journal.key["model"], "epoch": row}
        logging.getLogger("leukoscope.epochs").warning("epoch", extra=record)


def interrupt(project_path, tmp_path, names: list[str]) -> Training:
    """Run a session that dies after its second epoch; what it gives runs to the end."""
    training = Training(tmp_path)
    training.last = 2
    Session(project_path).run(training.pipeline(*names), training.catalog(*names))
    training.last = 3
    return training


def epochs_of(run_id: str) -> list[int]:
    return [one.step for one in mlflow.MlflowClient().get_metric_history(run_id, "epoch/train_loss")]


TRAINED = [["resnet50"], pytest.param(["resnet50", "vgg16"], marks=pytest.mark.slow)]


@pytest.mark.parametrize("names", TRAINED)
def test_an_interrupted_session_goes_on_in_the_same_runs(project_path, tracking_uri, tmp_path, names):
    training = interrupt(project_path, tmp_path, names)
    session = Session(project_path)
    session.run(training.pipeline(*names), training.catalog(*names))
    runs = session.runs()
    assert sorted(runs.index) == sorted([*names, *(["__default__"] if len(names) > 1 else [])])
    assert set(runs["status"]) == {"FINISHED"}
    for name in names:
        assert epochs_of(runs.loc[name, "run_id"]) == [1, 2, 3]
    session.run(training.pipeline(*names), training.catalog(*names))
    assert len(session.runs()) == 2 * len(runs)


@pytest.mark.slow
def test_an_interrupted_session_of_an_earlier_version_goes_on_too(project_path, tracking_uri, tmp_path):
    names = ["resnet50", "vgg16"]
    training, session = interrupt(project_path, tmp_path, names), Session(project_path)
    client = mlflow.MlflowClient()
    for run in session.runs().dropna(subset="tags.model").itertuples():
        client.set_tag(run.run_id, "backbone", run.Index)
        client.delete_tag(run.run_id, "model")
    session.run(training.pipeline(*names), training.catalog(*names))
    runs = session.runs()
    assert sorted(runs.index) == ["__default__", *names]
    assert runs.loc[names, "tags.model"].tolist() == names


@pytest.mark.slow
def test_an_interrupted_session_is_found_although_a_finished_one_has_a_later_time(
    project_path, tracking_uri, tmp_path, monkeypatch
):
    """The clock was set back between the two."""
    training, session = Training(tmp_path / "first"), Session(project_path)
    with monkeypatch.context() as patch:
        now = time.time
        patch.setattr(time, "time", lambda: now() + 3600)
        session.run(training.pipeline("resnet50"), training.catalog("resnet50"))
    training = interrupt(project_path, tmp_path / "second", ["resnet50"])
    session.run(training.pipeline("resnet50"), training.catalog("resnet50"))
    runs = session.runs()
    assert list(runs["status"]) == ["FINISHED", "FINISHED"]
    assert [epochs_of(run_id) for run_id in runs["run_id"]] == [[1, 2, 3], [1, 2, 3]]


@pytest.mark.slow
def test_a_run_that_another_training_has_left_is_not_gone_on_with(project_path, tracking_uri, tmp_path):
    training, session = interrupt(project_path, tmp_path, ["resnet50"]), Session(project_path)
    for _ in range(2):
        session.run(training.pipeline("resnet50"), training.catalog("resnet50", seed=2))
    runs = session.runs().set_index("status")
    assert sorted(runs.index) == ["FINISHED", "FINISHED", "KILLED"]
    assert epochs_of(runs.loc["KILLED", "run_id"]) == [1, 2]


@pytest.mark.parametrize("names", TRAINED)
def test_a_training_that_starts_afresh_leaves_the_interrupted_run(project_path, tracking_uri, tmp_path, names):
    training = interrupt(project_path, tmp_path, names)
    session = Session(project_path)
    session.run(training.pipeline(*names), training.catalog(*names, seed=2))
    runs = session.runs().loc[["resnet50"]].set_index("status")
    assert sorted(runs.index) == ["FINISHED", "KILLED"]
    assert epochs_of(runs.loc["KILLED", "run_id"]) == [1, 2]
    assert epochs_of(runs.loc["FINISHED", "run_id"]) == [1, 2, 3]
    assert runs.loc["FINISHED", "tags.model"] == "resnet50"


def test_an_interrupted_session_goes_on_with_more_workers(project_path, tracking_uri, tmp_path):
    """Where it runs is of no consequence for what comes of it; MLflow takes no parameter twice."""
    training = interrupt(project_path, tmp_path, ["resnet50"])
    session = Session(project_path, study={"workers": 3})
    session.run(training.pipeline("resnet50"), training.catalog("resnet50"))
    run = session.runs().loc["resnet50"]
    assert (run["status"], epochs_of(run["run_id"])) == ("FINISHED", [1, 2, 3])


def test_a_run_that_cannot_start_is_not_called_finished(project_path, tracking_uri, monkeypatch):
    session = Session(project_path)
    monkeypatch.setattr("leukoscope.hooks.runs.Runs._tell_data", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        session.run(scoring("vgg16"), numbers(vgg16=1.0))
    assert mlflow.active_run() is None
    assert list(session.runs()["status"]) == ["FAILED"]


@pytest.mark.parametrize("names", TRAINED)
def test_other_parameters_make_another_run(project_path, tracking_uri, tmp_path, names):
    training = interrupt(project_path, tmp_path, names)
    session = Session(project_path, models={"resnet50": {"training": {"epochs": 3}}})
    session.run(training.pipeline(*names), training.catalog(*names))
    assert sorted(session.runs().loc[["resnet50"], "status"]) == ["FAILED", "FINISHED"]


@pytest.mark.slow
@pytest.mark.parametrize("names", [["resnet50"], ["resnet50", "vgg16"]])
def test_a_session_that_dies_as_its_run_begins_goes_on_in_it(project_path, tracking_uri, tmp_path, names, monkeypatch):
    training = Training(tmp_path)
    session = Session(project_path)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow, "set_tags", lambda tags: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            session.run(training.pipeline(*names), training.catalog(*names))
    mlflow.end_run("RUNNING")
    session = Session(project_path)
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "_describe", lambda *facts: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            session.run(training.pipeline(*names), training.catalog(*names))
    mlflow.end_run("RUNNING")
    session = Session(project_path)
    with monkeypatch.context() as patch:
        original = Runs._describe

        def die(self, run_id, model):
            if model == "vgg16":
                raise KilledError
            original(self, run_id, model)

        patch.setattr(Runs, "_describe", die)
        session.run(training.pipeline(*names), training.catalog(*names))
    session = Session(project_path)
    session.run(training.pipeline(*names), training.catalog(*names))
    finished = session.runs().query("status == 'FINISHED'")
    assert set(finished.index) == {*names, *(["__default__"] if len(names) > 1 else [])}
    assert len(session.runs()) == len(finished)


@pytest.mark.slow
def test_a_process_that_ends_midway_leaves_its_runs_killed(project_path, tracking_uri):
    script = f"""
import sys
import time
from copy import copy
sys.path[:0] = {sys.path!r}
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
spec = spec_from_file_location("test_hooks", {__file__!r})
module = module_from_spec(spec)
spec.loader.exec_module(module)
module.fail = lambda metrics: sys.exit(1)
session = module.Session(Path({str(project_path)!r}))
session.run(
    module.scoring("resnet50") + module.scoring("vgg16", module.fail), module.numbers(resnet50=0.9, vgg16=0.8)
)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=os.environ | {"COLUMNS": "300"}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "The same command goes on" in done.stdout + done.stderr
    mlflow.set_tracking_uri(tracking_uri)
    status = mlflow.search_runs(search_all_experiments=True).set_index("tags.mlflow.runName")["status"]
    assert status.to_dict() == {"resnet50": "FINISHED", "vgg16": "KILLED", "__default__": "KILLED"}


@pytest.mark.slow
def test_a_model_that_a_killed_session_was_logging_is_called_failed(project_path, tracking_uri, monkeypatch):
    saving = Pipeline(
        [Node(lambda number: number, "number", "model", name="train")],
        namespace="resnet50",
        prefix_datasets_with_namespace=True,
    )

    def begin(model) -> None:
        run = mlflow.active_run().info
        mlflow.MlflowClient().create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
        raise KilledError

    for log_model in (begin, lambda model: None):
        monkeypatch.setattr(hooks.runs, "log_network", log_model)
        session = Session(project_path)
        session.run(saving, DataCatalog({"resnet50.number": MemoryDataset(1), "resnet50.model": MemoryDataset()}))
    assert session.runs()["status"].to_dict() == {"resnet50": "FINISHED"}
    (model,) = mlflow.search_logged_models([session.runs()["experiment_id"].iloc[0]], output_format="list")
    assert model.status == "FAILED"


@pytest.mark.parametrize(
    ("make", "files"),
    [
        (make_classifier, ["model/classifier.json", "model/classifier.skops"]),
        (make_vote, ["model/classifier.json"]),  # whose members have runs of their own
    ],
)
def test_a_model_that_is_no_network_is_logged_as_its_own_files(project_path, tracking_uri, make, files):
    saving = Pipeline(
        [Node(lambda number: make(), "number", "model", name="train")],
        namespace="resnet50",
        prefix_datasets_with_namespace=True,
    )
    session = Session(project_path)
    session.run(saving, DataCatalog({"resnet50.number": MemoryDataset(1), "resnet50.model": MemoryDataset()}))
    run = session.runs().loc["resnet50"]
    assert run["status"] == "FINISHED"
    logged = mlflow.MlflowClient().list_artifacts(run["run_id"], "model")
    assert [artifact.path for artifact in logged] == files
    assert mlflow.search_logged_models([run["experiment_id"]], output_format="list") == []


def test_pages_are_logged_into_the_runs_of_the_models_at_hand(project_path, tracking_uri):
    session = Session(project_path)
    catalog = numbers(resnet50=0.9, vgg16=0.8)
    catalog["ask"] = MemoryDataset({"resnet50/report": "a page", "vgg16/report": "b", "vgg19/report": "of another day"})
    catalog["reports"] = MemoryDataset()
    writing = Pipeline([Node(lambda ask: ask, "ask", "reports", name="write")])
    session.run(scoring("resnet50") + scoring("vgg16") + writing, catalog)
    runs = session.runs()
    assert set(runs.index) == {"__default__", "resnet50", "vgg16"}
    for name, page in (("resnet50", "a page"), ("vgg16", "b")):
        assert mlflow.artifacts.load_text(f"{runs.loc[name, 'artifact_uri']}/report.html") == page


def test_pictures_are_logged_as_they_were_saved_and_no_others(project_path, tracking_uri, tmp_path):
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown/of_another_day.png").write_bytes(b"old")
    catalog = numbers(resnet50=0.9, vgg16=0.8)
    catalog["resnet50.ask"] = MemoryDataset({"roc_curves": b"curves", "calibration": b"dots"})
    folder = {"path": str(tmp_path / "shown"), "filename_suffix": ".png"}
    catalog["resnet50_pictures"] = PartitionedDataset(dataset="leukoscope.datasets.BinaryDataset", **folder)
    drawing = Pipeline([Node(lambda ask: ask, "resnet50.ask", "resnet50_pictures", name="draw", namespace="resnet50")])
    session = Session(project_path)
    session.run(scoring("resnet50") + scoring("vgg16") + drawing, catalog)
    artifacts = mlflow.artifacts.download_artifacts(f"{session.runs().loc['resnet50', 'artifact_uri']}/")
    logged = {path.name: path.read_bytes() for path in Path(artifacts).iterdir()}
    assert logged == {"roc_curves.png": b"curves", "calibration.png": b"dots"}


def test_external_figures_are_logged_by_model(project_path, tracking_uri):
    session = Session(project_path)
    table = pd.DataFrame({"model": ["vgg16", "vgg19"], "external_accuracy": [0.5, None]})
    catalog = DataCatalog({"ask": MemoryDataset(table), "external_metrics": MemoryDataset()})
    session.run(Pipeline([Node(lambda ask: ask, "ask", "external_metrics", name="score")]), catalog)
    run = session.runs().iloc[0]
    assert run["metrics.vgg16/external_accuracy"] == 0.5
    assert "metrics.vgg19/external_accuracy" not in run


class Place:
    """A tracking server that can be switched off."""

    def __init__(self, monkeypatch) -> None:
        self.up = True
        monkeypatch.setattr(hooks.tracker.server, "answers", lambda uri: self.up)
        monkeypatch.setattr(hooks.outbox, "_SECONDS_BETWEEN_LOOKS", 0)

    def scoring(self, tmp_path, back: bool) -> tuple[Pipeline, DataCatalog]:
        """Nodes of which the first loses the server, and the third may bring it back."""

        def lose(number: float) -> dict[str, float]:
            self.up = False
            return {"test_accuracy": number}

        def finish(metrics: dict) -> dict[str, float]:
            self.up = back
            return {"clean_accuracy": metrics["test_accuracy"]}

        nodes = [
            Node(lose, "number", "metrics", name="lose"),
            Node(lambda metrics: metrics, "metrics", "figures", name="sum"),
            Node(finish, "figures", "robustness_summary", name="finish"),
        ]
        catalog = numbers(vgg16=0.75)
        artifact = {"type": "leukoscope.datasets.JSONDataset", "filepath": str(tmp_path / "figures.json")}
        wrapped = {"type": "kedro_mlflow.io.artifacts.MlflowArtifactDataset", "dataset": artifact}
        catalog["vgg16.figures"] = OptionalDataset(dataset=wrapped)
        catalog["vgg16.robustness_summary"] = MemoryDataset()
        return Pipeline(nodes, namespace="vgg16", prefix_datasets_with_namespace=True), catalog


@pytest.fixture
def place(monkeypatch) -> Place:
    return Place(monkeypatch)


def test_a_server_that_is_lost_and_comes_back_has_everything(project_path, tracking_uri, tmp_path, place):
    session = Session(project_path)
    session.run(*place.scoring(tmp_path, back=True))
    run = session.runs().loc["vgg16"]
    assert (run["metrics.test_accuracy"], run["metrics.clean_accuracy"], run["status"]) == (0.75, 0.75, "FINISHED")
    assert mlflow.artifacts.load_dict(f"{run['artifact_uri']}/figures.json") == {"test_accuracy": 0.75}
    assert mlflow.active_run() is None


def test_a_server_that_is_lost_for_good_costs_nothing(project_path, tracking_uri, tmp_path, place, caplog):
    session = Session(project_path)
    session.run(*place.scoring(tmp_path, back=False))
    assert "could not be logged" in caplog.text
    assert (tmp_path / "figures.json").is_file()
    place.up = True
    assert session.runs().loc["vgg16", "status"] == "RUNNING"
    session.run(*place.scoring(tmp_path, back=True))
    run = session.runs().loc["vgg16"]  # the same one
    assert (run["metrics.test_accuracy"], run["metrics.clean_accuracy"], run["status"]) == (0.75, 0.75, "FINISHED")


def test_a_command_that_is_at_work_already_is_refused_and_left_alone(project_path, tracking_uri, tmp_path, monkeypatch):
    """It would go on in the run of the other, and end that run its own way."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session, pipeline, catalog = Session(project_path), scoring("resnet50"), numbers(resnet50=0.5)
    session.run(pipeline, catalog)
    (lock,) = tmp_path.glob("leukoscope-*.lock")
    with FileLock(lock), pytest.raises(InputError, match="The same command is at work already"):
        session.run(pipeline, catalog)
    assert list(session.runs()["status"]) == ["FINISHED"]
    session.run(pipeline, catalog)
    assert list(session.runs()["status"]) == ["FINISHED", "FINISHED"]


def test_a_run_waits_while_another_makes_the_database(project_path, tracking_uri, tmp_path, monkeypatch):
    """MLflow makes it step by step, and two would meet."""
    monkeypatch.setattr("leukoscope.hooks.server._SECONDS_FOR_OTHERS", 0.1)
    session, pipeline, catalog = Session(project_path), scoring("resnet50"), numbers(resnet50=0.5)
    (tmp_path / "mlflow.db").unlink()
    with FileLock(tmp_path / "mlflow.db.lock"), pytest.raises(InputError, match="has been setting up sqlite:"):
        session.run(pipeline, catalog)
    assert not (tmp_path / "mlflow.db").exists()
    session.run(pipeline, catalog)
    assert list(session.runs()["status"]) == ["FINISHED"]


def test_a_server_that_does_not_answer_stops_what_is_tracked_only(project_path, tracking_uri, monkeypatch):
    session = Session(project_path)
    session.hook.require_tracker().mlflow_config.server.mlflow_tracking_uri = "http://127.0.0.1:9"
    untracked = {"runner": "SequentialRunner", "pipeline_names": ["ingestion", "splitting"]}
    session.hook.before_pipeline_run(untracked, Pipeline([]), DataCatalog())
    session.hook.after_pipeline_run()
    with pytest.raises(InputError, match=r"MLflow server http://127.0.0.1:9 does not answer: .*refused"):
        session.run(scoring("vgg16"), numbers(vgg16=1.0))


def test_its_attributes_can_be_read_before_there_is_a_session():
    """As pluggy before 1.7 reads all of them, properties too, when it registers a hook."""
    hook = TrackingHook()
    for name in dir(hook):
        getattr(hook, name)
