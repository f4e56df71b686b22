"""Every command ends with a line that says what happened, and says nothing that nobody asked for."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from leukoscope import cli
from leukoscope.core.errors import InputError

QUIET = r"Traceback|Warning|\x1b\[|absl|NoneType"


@pytest.fixture
def run(project, tmp_path, monkeypatch):
    """Run ``kedro run`` in this process, in a copy of the project."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    bootstrap_project(project)

    def run_command(*options: str):
        return CliRunner().invoke(cli.run, options)

    return run_command


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pipelines", "train_resnet51"], "There is no pipeline 'train_resnet51'. Did you mean train_resnet50"),
        (["--pipeline", "train_resnet51"], "There is no pipeline 'train_resnet51'. Did you mean train_resnet50"),
        (["--pipelines", "ingestion,xyz"], "There is no pipeline 'xyz'. `kedro registry list` lists them."),
        (["--pipeline", "predict", "--pipelines", "explain"], "Give --pipelines only"),
        (["--env", "demoo"], "There is no environment 'demoo'"),
        (["--nodes", "nothing"], "Pipeline does not contain nodes named ['nothing']. Nothing was run."),
        (["--pipelines", "training", "--namespaces", "resnet51"], "namespaces: ['resnet51']. Nothing was run."),
        (["--tags", "x"], "Nothing was run."),
        (["--runner", "NoRunner"], "has no attribute 'NoRunner'. Nothing was run."),
        (["--runner", "ParallelRunner"], "ParallelRunner cannot run this project"),
        (["--params", "training.epochs=three"], "training.epochs is 'three'"),
        (["--pipelines", "reporting"], "`kedro run --pipelines ingestion,splitting,comparison` first"),
        (["--pipelines", "train_vgg16", "--params", "raw_images=/nowhere"], "There are no images at /nowhere"),
        (["--pipelines", "predict", "--params", "images=/nowhere"], "There is no image at /nowhere"),
        (["--params", "weights"], "must contain a key and a value"),
        (["--params", "raw_images=[x]/y"], "An option cannot be read: ParserError"),
        (["--params", "raw_images=*x"], "An option cannot be read: ComposerError"),
        (["--params", "seed=" + 5000 * "9"], "An option cannot be read: ValueError"),
        (["--pipelines", ","], "--pipelines names none"),
        (
            ["--params", "class_names=[A,B]"],
            "takes no list or table with commas: put it into conf/local/parameters",
        ),
    ],
)
def test_a_wrong_command_is_one_line(run, tmp_path, options, message):
    done = run(*options)
    assert done.exit_code in (1, 2)
    assert message in done.output
    assert len(re.findall("^Error: ", done.output, re.MULTILINE)) == 1
    assert not re.search(QUIET, done.output)
    assert not (tmp_path / "mlflow.db").exists()


def test_an_entry_that_an_environment_does_not_read_is_told(run, project):
    local = project / "conf" / "local" / "parameters.yml"
    local.parent.mkdir(exist_ok=True)
    local.write_text("models: {own: {kind: network, architecture: vgg16}}")
    done = run("--pipelines", "train_own", "--env", "demo")
    local.unlink()  # the project is that of all tests here
    assert (
        "There is no pipeline 'train_own'. Its entry is in conf/local, which is read only without --env" in done.output
    )


def test_a_misspelled_name_is_told_before_the_pipeline_that_it_would_make(run, project):
    local = project / "conf" / "local" / "parameters.yml"
    local.parent.mkdir(exist_ok=True)
    local.write_text("modls: {own: {kind: network, architecture: vgg16}}")
    done = run("--pipelines", "train_own")
    local.unlink()  # the project is that of all tests here
    assert "there is no parameter 'modls': did you mean 'models'?" in done.output


def raising(error: Exception) -> click.ClickException:
    with pytest.raises(click.ClickException) as caught, cli.errors_in_a_line():
        raise error
    assert "\n" not in caught.value.message
    return caught.value


def test_an_input_error_stays_whatever_wraps_it():
    error = RuntimeError("in a node")
    error.__cause__ = InputError("Give another.")
    assert raising(error).message == "Give another."


def test_a_full_disk_is_named_with_the_file():
    error = OSError(28, "No space left on device", "/data/model.keras")
    assert raising(error).message.startswith("/data/model.keras: No space left on device")


def test_what_no_user_can_mend_leaves_its_traceback_in_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(cli.tempfile, "tempdir", str(tmp_path))
    message = raising(KeyError("x\ny")).message
    (file,) = tmp_path.iterdir()
    assert str(file) in message
    assert "KeyError" in message
    assert "raise error" in file.read_text()


def start(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "MLFLOW", "KEDRO"))}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=kept | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", [["--help"], ["registry", "list"], ["run", "--help"]])
def test_looking_around_says_only_what_was_asked_for(project, command):
    done = start("-m", "kedro", *command, folder=project)
    assert done.returncode == 0
    assert done.stderr == ""
    assert not re.search(QUIET, done.stdout)
    assert not (project / "mlflow.db").exists()


WITHOUT = """
import sys
from kedro.framework.cli import main
sys.argv = ["kedro", *sys.argv[1:]]
try:
    main()
finally:
    heavy = {"keras", "tensorflow", "mlflow", "sqlalchemy", "matplotlib", "sklearn", "dask", "distributed"}
    print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "options",
    [
        ["--pipelines", "ingestion", "--params", "raw_images=/nope"],
        pytest.param(["--pipelines", "predict", "--params", "images=/nope"], marks=pytest.mark.slow),
        pytest.param(["--params", "raw_images=/nope"], marks=pytest.mark.slow),
        pytest.param(["--params", "sed=3"], marks=pytest.mark.slow),
    ],
)
def test_a_wrong_command_is_told_before_anything_large_is_loaded(project, options):
    done = start("-c", WITHOUT, "run", *options, folder=project)
    assert "Error: There " in done.stderr or "Error: Wrong parameters" in done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["mlflow", "--help"], ["mlflow", "ui", "--help"]])
def test_the_commands_of_kedro_mlflow_are_there_when_asked_for(project, command):
    done = start("-m", "kedro", *command, folder=project)
    assert done.returncode == 0, done.stderr
    assert "mlflow" in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_nothing_is_said_when_tensorflow_is_loaded_but_its_errors(project):
    script = "import leukoscope, keras, os; os.write(2, b'still there'); print(keras.backend.backend())"
    done = start("-c", script, folder=project, KERAS_BACKEND="tensorflow", PYTHONPATH=str(project / "src"))
    assert (done.stdout, done.stderr) == ("tensorflow\n", "still there")


@pytest.mark.slow
def test_a_pipeline_may_be_named_in_the_old_way_and_ends_at_once_where_nothing_has_changed(project):
    options = ["--env", "demo", "--pipeline", "ingestion", "--params", "ingestion.image_size=32", "--verbose"]
    command = ["-m", "kedro", "run", *options]
    first, again, forced = (start(*command, *more, folder=project) for more in ([], [], ["--force"]))
    for done in (first, again, forced):
        assert done.returncode == 0, done.stdout + done.stderr
        assert not re.search(QUIET, done.stdout + done.stderr)
    assert "Nothing has changed since" in again.stdout
    assert "Completed" not in again.stdout
    for done in (first, forced):
        assert "Nothing has changed" not in done.stdout
        assert "Completed" in done.stdout
    assert not (project / "mlflow.db").exists()


@pytest.mark.slow
def test_a_wheel_runs_where_there_is_no_project(project, project_path, tmp_path):
    source, empty = tmp_path / "source", tmp_path / "empty"
    for folder in (source, empty, source / "wheel"):
        folder.mkdir()
    for name in ("src", "conf"):
        (source / name).symlink_to(project / name)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (source / name).write_bytes((project_path / name).read_bytes())
    build = "from setuptools.build_meta import build_wheel; build_wheel('wheel')"
    assert start("-c", build, folder=source).returncode == 0
    (wheel,) = (source / "wheel").iterdir()
    start("-m", "zipfile", "-e", str(wheel), str(tmp_path / "site"), folder=empty)
    path = {"PYTHONPATH": str(tmp_path / "site")}
    done = start("-m", "leukoscope", "--pipelines", "predict", "--params", "images=none.png", folder=empty, **path)
    assert "Error: There is no image at" in done.stderr
    done = start("-m", "leukoscope", "--env", "demo", "--pipelines", "ingestion", folder=empty, **path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (empty / "data/demo/02_intermediate/manifest.parquet").is_file()


@pytest.mark.parametrize("verbose", [True, False])
def test_kedro_tells_of_nodes_on_request_only(run, monkeypatch, verbose):
    levels = []

    def look(**options):
        levels.extend(
            logging.getLogger(name).getEffectiveLevel() for name in ("kedro.pipeline.node", options["runner"])
        )

    monkeypatch.setattr(cli.kedro_run, "callback", look)
    logging.getLogger("kedro.pipeline").setLevel(logging.WARNING)
    logging.getLogger("leukoscope.runners").setLevel(logging.WARNING)
    run("--pipelines", "ingestion", *(["--verbose"] if verbose else []))
    assert levels == 2 * [logging.INFO if verbose else logging.WARNING]
    assert logging.getLogger("kedro.pipeline").level == logging.WARNING


@pytest.mark.parametrize("content", ["- a", "run: 5", "a: 5"])
def test_a_file_of_options_that_is_none_is_refused_in_a_line(tmp_path, content):
    file = tmp_path / "options.yml"
    file.write_text(content)
    answer = CliRunner().invoke(cli.run, ["--config", str(file)])
    assert "Error: The file of --config cannot be read. Expected a table of options under `run`" in answer.output
    assert answer.exit_code == 1
