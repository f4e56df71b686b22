"""What a run has left behind and something has damaged since: one line that names the file and what makes it anew."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from leukoscope import cli
from leukoscope.core.errors import InputError
from leukoscope.evaluation.compatibility import select_results
from leukoscope.synthetic import write_smears

# Every one of these needs what most pipelines leave behind.
pytestmark = pytest.mark.slow

# A head alone learns in seconds, since nothing is computed backwards through the backbone.
SMALL = "training.input_size=32" + "".join(
    f",models.mobilenet_v2.training.{choice}" for choice in ("input_size=32", "epochs=2", "trainable=head")
)
AUDIT = "audit.repeats=1,audit.trees=5"
TRAIN = "train_mobilenet_v2"


def kedro(project: Path, *arguments: str, works: bool = True) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "KEDRO"))}
    command = [sys.executable, "-m", "kedro", "run", "--env", "demo", *arguments]
    answer = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode == 0) == works, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def kedro_here(project: Path, *arguments: str) -> None:
    """Do what ``kedro`` does, in this process, which has loaded TensorFlow once for all."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")
        environment.chdir(project)
        bootstrap_project(project)
        done = CliRunner().invoke(cli.run, ["--env", "demo", *arguments])
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def trained(project, tmp_path_factory) -> Path:
    """A project in which a model was trained on folds and on a holdout, compared, audited, read with and scored."""
    other = tmp_path_factory.mktemp("other")
    write_smears(other, {"Benign": 3, "Pro": 3}, 96, seed=5, magnification=3.0)
    for fold in (1, 2):
        to = ("--to-nodes", "mobilenet_v2.keep_evaluation")
        kedro_here(project, "--pipelines", TRAIN, *to, "--params", f"{SMALL},splitting.fold={fold} of 2")
    kedro_here(project, "--pipelines", "cross_validation")
    kedro_here(project, "--pipelines", f"{TRAIN},comparison,audit", "--params", f"{SMALL},{AUDIT}")
    kedro_here(project, "--pipelines", "reporting")
    kedro_here(project, "--pipelines", "predict,external", "--params", f"external_images={other},images={other}")
    return project


@pytest.fixture(scope="module")
def catalog(trained, tmp_path_factory):
    """The project's catalog, with the hooks; it has saved nothing, so that it loads whatever is there."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
        environment.chdir(trained)
        bootstrap_project(trained)
        with KedroSession.create(trained, env="demo") as session:
            yield session.load_context().catalog


# What a data set is loaded from, and the pipeline that makes it; of partitions which one.
TABLES = {
    "manifest": ("02_intermediate/manifest.parquet", "ingestion"),
    "grouped_images": ("03_primary/grouped_images.parquet", "splitting"),
    "splits": ("05_model_input/splits.parquet", "splitting"),
    "training_plan": ("05_model_input/training_plan.parquet", "augmentation"),
    "blind_features": ("04_feature/blind_features.parquet", "audit"),
    "mobilenet_v2.predictions": ("07_model_output/mobilenet_v2/predictions.parquet", TRAIN),
    "mobilenet_v2.opinions": ("07_model_output/mobilenet_v2/opinions.parquet", TRAIN),
    "mobilenet_v2_features": ("07_model_output/mobilenet_v2/features.parquet", TRAIN),
    "evaluated_predictions/mobilenet_v2": ("07_model_output/mobilenet_v2/predictions.parquet", TRAIN),
    "evaluated_features/mobilenet_v2": ("07_model_output/mobilenet_v2/features.parquet", TRAIN),
    "mobilenet_v2.history": ("07_model_output/mobilenet_v2/history.csv", TRAIN),
    "mobilenet_v2.robustness": ("08_reporting/mobilenet_v2/robustness.csv", TRAIN),
    "mobilenet_v2.outliers": ("08_reporting/mobilenet_v2/outliers.csv", TRAIN),
    "ingestion_report": ("08_reporting/ingestion_report.csv", "ingestion"),
    "split_report": ("08_reporting/split_report.csv", "splitting"),
    "comparison": ("08_reporting/comparison.csv", "comparison"),
    "differences": ("08_reporting/differences.csv", "comparison"),
    "out_of_fold/mobilenet_v2": ("07_model_output/mobilenet_v2/out_of_fold.parquet", "cross_validation"),
    "fold_figures": ("08_reporting/cross_validation_folds.csv", "cross_validation"),
    "cross_validation": ("08_reporting/cross_validation.csv", "cross_validation"),
    "audit_table": ("08_reporting/audit.csv", "audit"),
    "external_manifest": ("02_intermediate/external_manifest.parquet", "external"),
    "external_predictions": ("07_model_output/external_predictions.parquet", "external"),
    "external_opinions": ("07_model_output/external_opinions.parquet", "external"),
    "external_metrics": ("08_reporting/external.csv", "external"),
}
OBJECTS = {
    "mobilenet_v2.calibration": ("07_model_output/mobilenet_v2/calibration.json", TRAIN),
    "calibrations/mobilenet_v2": ("07_model_output/mobilenet_v2/calibration.json", TRAIN),
    "mobilenet_v2.recipe": ("05_model_input/mobilenet_v2/recipe.json", TRAIN),
    "mobilenet_v2.training_summary": ("07_model_output/mobilenet_v2/training_summary.json", TRAIN),
    "mobilenet_v2.metrics": ("08_reporting/mobilenet_v2/metrics.json", TRAIN),
    "mobilenet_v2.robust_accuracy": ("08_reporting/mobilenet_v2/robust_accuracy.json", TRAIN),
    "mobilenet_v2.robustness_summary": ("08_reporting/mobilenet_v2/robustness.json", TRAIN),
    "mobilenet_v2.summary": ("08_reporting/mobilenet_v2/summary.json", TRAIN),
    "mobilenet_v2.display": ("08_reporting/mobilenet_v2/display.json", TRAIN),
    "mobilenet_v2_result": ("08_reporting/mobilenet_v2/result.json", TRAIN),
    "colour_baseline": ("07_model_output/colour_baseline.json", "comparison"),
    "data_sheet": ("08_reporting/data_sheet.json", "reporting"),
    "external_mapping": ("02_intermediate/external_mapping.json", "external"),
}
OTHERS = {
    "smears": ("02_intermediate/smears/store.json", "ingestion"),
    "smears ": ("02_intermediate/smears/pixels.npy", "ingestion"),
    "smears  ": ("02_intermediate/smears/records.parquet", "ingestion"),
    "external_smears": ("02_intermediate/external_smears/pixels.npy", "external"),
    "mobilenet_v2.model": ("06_models/mobilenet_v2/model.keras", TRAIN),
    "trained_models/mobilenet_v2": ("06_models/mobilenet_v2/model.keras", TRAIN),
    "reader": ("07_model_output/reader/reader.json", "reader"),
    "reader ": ("07_model_output/reader/seen.parquet", "reader"),
    "reader  ": ("07_model_output/reader/model.keras", "reader"),
    "engine": ("07_model_output/engine/engine.json", "reader"),
    "engine ": ("07_model_output/engine/model.onnx", "reader"),
    "opinions": ("07_model_output/opinions.parquet", "predict"),
    "mobilenet_v2_pictures/confusion_matrix": ("08_reporting/mobilenet_v2/confusion_matrix.png", TRAIN),
}
ALL = TABLES | OBJECTS | OTHERS


def truncate(path: Path) -> None:
    """Cut a file in two, of a table never between two rows, where nobody can tell."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 1].rstrip(b"\n"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def replace_by_text(path: Path) -> None:
    path.write_text("Dear colleague,\nplease find attached, the file\n")


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_a_list(path: Path) -> None:
    path.write_text("[1, 2]\n")


DAMAGES = (truncate, empty, fill_with_zeros, replace_by_text, replace_by_a_folder)


@pytest.fixture
def damage(trained, tmp_path):
    """Damage a file until the end of the test."""
    damaged: list[tuple[Path, Path]] = []

    def damage(place: str, how: Callable[[Path], None]) -> Path:
        path = trained / "data/demo" / place
        shutil.copy(path, tmp_path / path.name)
        damaged.append((path, tmp_path / path.name))
        how(path)
        return path

    yield damage
    for path, kept in damaged:
        if path.is_dir():
            shutil.rmtree(path)
        shutil.copy(kept, path)


def load(catalog, name: str):
    name, _, partition = name.strip().partition("/")
    loaded = catalog.load(name)
    return loaded[partition]() if partition else loaded


def refuse(catalog, name: str) -> str:
    """Load what must not be loaded; gives the message of the input error, as the hooks show it."""
    with pytest.raises(Exception) as error:  # noqa: PT011
        load(catalog, name)
    cause = error.value if isinstance(error.value, InputError) else error.value.__cause__
    assert isinstance(cause, InputError), repr(error.value)
    assert "\n" not in str(cause)
    return str(cause)


@pytest.mark.parametrize("name", ALL)
def test_what_is_whole_is_loaded(catalog, name):
    assert load(catalog, name) is not None


@pytest.mark.parametrize("how", DAMAGES, ids=lambda how: how.__name__)
@pytest.mark.parametrize("name", ALL)
def test_a_damaged_file_is_named_with_the_command_that_makes_it_anew(catalog, damage, name, how):
    place, pipeline = ALL[name]
    path = damage(place, how)
    if "/" in name and how is replace_by_a_folder:  # there is no such partition then, which its nodes tell
        assert name.partition("/")[2] not in catalog.load(name.partition("/")[0])
        return
    message = refuse(catalog, name)
    assert path.name in message
    assert f"run `kedro run --pipelines {pipeline} --env demo`" in message.replace("Run", "run")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_an_earlier_version_is_told_by_the_column_that_it_lacks(catalog, damage, name):
    place, pipeline = TABLES[name]

    def drop_a_column(path: Path) -> None:
        kind = path.suffix[1:]
        table = getattr(pd, f"read_{kind}")(path)
        needed = _find_needed(catalog, name)
        dropped = table.drop(columns=needed[-1])
        dropped.to_parquet(path) if kind == "parquet" else dropped.to_csv(path, index=False)

    damage(place, drop_a_column)
    message = refuse(catalog, name)
    assert f"it lacks {_find_needed(catalog, name)[-1]}, as one that an earlier version wrote" in message
    assert f"run `kedro run --pipelines {pipeline} --env demo`" in message


@pytest.mark.parametrize("how", ["an entry less", "a list"])
@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_of_an_earlier_version_is_told_by_the_entry_that_it_lacks(catalog, damage, name, how):
    place, pipeline = OBJECTS[name]
    needed = _find_needed(catalog, name)[-1]

    def drop_an_entry(path: Path) -> None:
        facts = json.loads(path.read_text())
        path.write_text(json.dumps({key: value for key, value in facts.items() if key != needed}))

    damage(place, replace_by_a_list if how == "a list" else drop_an_entry)
    message = refuse(catalog, name)
    assert (f"it lacks {needed}," if how != "a list" else "it holds a list") in message
    assert f"run `kedro run --pipelines {pipeline} --env demo`" in message


def _find_needed(catalog, name: str) -> tuple[str, ...]:
    name, _, partition = name.partition("/")
    dataset = catalog.get(name)
    if partition:
        return tuple(dataset._dataset_config["requires"])
    return getattr(dataset, "_dataset", dataset)._requires


def test_zeros_in_the_middle_of_a_table_are_found(catalog, damage):
    def zero_the_middle(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 4 : len(content) // 4 + 200] = bytes(200)
        path.write_bytes(content)

    for place, name in (
        ("07_model_output/mobilenet_v2/features.parquet", "mobilenet_v2_features"),
        ("07_model_output/reader/seen.parquet", "reader"),
        ("08_reporting/comparison.csv", "comparison"),
        ("06_models/mobilenet_v2/model.keras", "mobilenet_v2.model"),
    ):
        damage(place, zero_the_middle)
        assert "is damaged" in refuse(catalog, name)


@pytest.mark.parametrize("how", [empty, fill_with_zeros, replace_by_a_folder], ids=lambda how: how.__name__)
def test_a_verdict_without_text_is_told(catalog, damage, how):
    damage("08_reporting/audit.txt", how)
    assert "run `kedro run --pipelines audit --env demo`" in refuse(catalog, "audit_verdict")


@pytest.mark.parametrize("how", [*DAMAGES, replace_by_a_list], ids=lambda how: how.__name__)
def test_a_damaged_record_of_evaluations_is_kept_for_mending(catalog, damage, how):
    path = damage("08_reporting/evaluations.jsonl", how)
    message = refuse(catalog, "evaluations")
    assert f"The file {path}" in message
    assert "Mend the line, or move the file away" in message
    assert "kedro run --pipelines evaluation" in message


@pytest.mark.parametrize("how", [*DAMAGES, replace_by_a_list], ids=lambda how: how.__name__)
@pytest.mark.parametrize("name", ["key.json", "history.csv", "summary.json"])
def test_a_damaged_journal_says_what_to_remove(catalog, trained, damage, name, how):
    pointer = trained / "data/demo/06_models/mobilenet_v2/current"
    path = damage(f"06_models/mobilenet_v2/{pointer.read_text().strip()}/{name}", how)
    read = {
        "key.json": lambda it: it.key,
        "history.csv": lambda it: it.history(),
        "summary.json": lambda it: it.summary(),
    }
    with pytest.raises(Exception) as error:  # noqa: PT011
        read[name](catalog.load("mobilenet_v2.journal"))
    cause = error.value if isinstance(error.value, InputError) else error.value.__cause__
    assert isinstance(cause, InputError), repr(error.value)
    assert f"The file {path}, which the training needs, cannot be read: " in str(cause)
    assert f"Remove {path.parent} to train anew by the same command" in str(cause)


def test_what_is_not_there_is_asked_for_by_its_command(catalog, trained):
    path = trained / "data/demo/05_model_input/splits.parquet"
    kept = path.read_bytes()
    path.unlink()
    assert refuse(catalog, "splits") == f"There is no {path}. Run `kedro run --pipelines splitting --env demo` first."
    path.write_bytes(kept)


def test_a_result_of_this_version_that_is_not_whole_is_left_out_like_an_old_one(catalog):
    result = catalog.load("mobilenet_v2_result")
    assert select_results([result]) == [result]
    for part in ("metrics", "calibration", "training", "class_names", "confusion"):
        broken = {name: value for name, value in result.items() if name != part}
        with pytest.raises(InputError, match=r"kedro run --pipelines evaluation --namespaces mobilenet_v2"):
            select_results([broken])


@pytest.mark.parametrize(
    ("place", "arguments", "maker"),
    [
        ("05_model_input/splits.parquet", ["--pipelines", "augmentation"], "splitting"),
        pytest.param(
            "08_reporting/mobilenet_v2/result.json", ["--pipelines", "reporting"], TRAIN, marks=pytest.mark.slow
        ),
        pytest.param("06_models/mobilenet_v2/model.keras", ["--pipelines", "reader"], TRAIN, marks=pytest.mark.slow),
    ],
)
def test_a_command_ends_with_one_line_and_the_one_that_it_names_mends_it(trained, damage, place, arguments, maker):
    path = damage(place, truncate)
    said = kedro(trained, *arguments, works=False)
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"Error: {path} is damaged (")
    assert lines[0].endswith(f"): remove it and run `kedro run --pipelines {maker} --env demo`.")
    path.unlink()
    kedro(trained, "--pipelines", maker, "--params", SMALL)
    kedro(trained, *arguments)
