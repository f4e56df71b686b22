import socket
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner
from kedro.io import DataCatalog, MemoryDataset

from leukoscope.app import __main__ as app
from leukoscope.app.options import AppOptions
from leukoscope.core.errors import InputError
from leukoscope.datasets import ReviewsDataset, SecondReaderDataset
from leukoscope.pipelines.explain.options import ExplanationOptions
from leukoscope.pipelines.reader.options import ReaderOptions

PARAMETERS = {"app": {"max_images": 4}, "reader": ReaderOptions(), "explanation": ExplanationOptions(), "seed": 1}


@pytest.fixture
def catalog(desk, tmp_path) -> DataCatalog:
    return DataCatalog(
        {
            "reader": MemoryDataset(desk.reader, copy_mode="assign"),
            "model_cards": MemoryDataset({"mobilenet_v2/model_card": lambda: "# Card of the tiny one"}),
            "reviews": ReviewsDataset(filepath=str(tmp_path / "reviews.db")),
        }
    )


@pytest.fixture
def served(monkeypatch) -> dict:
    """What the page and its server are started with; neither is."""
    pytest.importorskip("nicegui", reason="the extra app is not installed")
    served = {}
    monkeypatch.setattr(
        "leukoscope.app.page.add_page", lambda server, office, keep: served.update(office=office, keep=keep)
    )
    monkeypatch.setattr("uvicorn.run", lambda server, **options: served.update(options))
    return served


def test_the_configured_parameters_are_the_defaults(project_path):
    configured = yaml.safe_load((project_path / "conf/base/parameters_app.yml").read_text())["app"]
    assert app.check_options(configured) == AppOptions()


@pytest.mark.parametrize(
    ("given", "message"), [({"max_image": 3}, "did you mean 'max_images'"), ({"max_full_bytes": -1}, "max_full_bytes")]
)
def test_wrong_parameters_are_said_before_anything_starts(given, message):
    with pytest.raises(InputError, match=f"(?s)nothing was started.*{message}"):
        app.check_options(given)


def test_the_page_is_served_to_this_machine_only(catalog, served):
    app.serve(catalog, PARAMETERS, 8055)
    assert (served["host"], served["port"], served["access_log"]) == ("127.0.0.1", 8055, False)
    assert served["office"].desk.options.max_images == 4


def test_the_model_card_is_that_of_the_reader(catalog, served):
    app.serve(catalog, PARAMETERS, 8055)
    assert "Card of the tiny one" in served["office"].about.card
    registered = ReaderOptions(model_uri="models:/leukoscope@champion")
    app.serve(catalog, PARAMETERS | {"reader": registered}, 8055)
    assert served["office"].about.card is None


def test_neither_card_nor_training_images_need_be_there(desk, served):
    app.serve(DataCatalog({"reader": MemoryDataset(desk.reader, copy_mode="assign")}), PARAMETERS, 8055)
    assert served["office"].about.card is None


def test_without_a_reader_it_says_how_to_get_one(catalog, served, tmp_path):
    catalog["reader"] = SecondReaderDataset(filepath=str(tmp_path / "reader"))
    with pytest.raises(InputError, match=rf"There is no {tmp_path}/reader\. Run "):
        app.serve(catalog, PARAMETERS, 8055)


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough" * 99, None], ids=["no database", "a folder"]
)
def test_reviews_that_cannot_be_kept_are_said_before_the_page_starts(catalog, served, tmp_path, content):
    file = tmp_path / "reviews.db"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(InputError, match=r"^No review can be added to .*reviews\.db: .*make it writable"):
        app.serve(catalog, PARAMETERS, 8055)
    assert served == {}


def test_the_check_adds_no_review(catalog, served):
    app.serve(catalog, PARAMETERS, 8055)
    with pytest.raises(InputError, match="no reviews in"):
        app.load(catalog, "reviews")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "dmeo"], "There is no environment 'dmeo': did you mean 'demo'? known are base, cluster, demo"),
        (["--env", "../conf/demo"], "There is no environment '../conf/demo': "),
        (["--port", "80"], "80 is not in the range 1024<=x<=65535"),
        (["--port", "x"], "'x' is not a valid integer"),
    ],
)
def test_a_wrong_option_is_one_line(project, monkeypatch, arguments, message):
    pytest.importorskip("nicegui", reason="the extra app is not installed")
    monkeypatch.chdir(project)
    result = CliRunner().invoke(app.main, arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert message in result.output


def test_outside_of_a_project_it_says_where_to_start(tmp_path, monkeypatch):
    pytest.importorskip("nicegui", reason="the extra app is not installed")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app.main, [])
    assert isinstance(result.exception, SystemExit)
    assert "is in no Kedro project" in result.output


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"cannot be had: [a-z][^\[]*--port"):
            app._require_free(taken.getsockname()[1])


def test_only_the_page_knows_its_library_and_nothing_loads_keras():
    modules = (
        "__main__",
        "answers",
        "doubts",
        "options",
        "reading",
        "rendering",
        "reviews",
        "server",
        "session",
        "worklist",
    )
    code = (
        f"import sys, importlib\nfor name in {modules}: importlib.import_module('leukoscope.app.' + name)\n"
        "print(sorted({'nicegui', 'keras', 'tensorflow', 'jax', 'torch', 'mlflow', 'sklearn'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1].strip() == "[]"
