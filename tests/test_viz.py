"""`kedro viz run`, which shows at first what can be read."""

import json
import sys
import webbrowser
from pathlib import Path

import kedro_viz
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from kedro_viz import server
from kedro_viz.api import apps
from kedro_viz.launchers import utils
from kedro_viz.launchers.cli.main import viz

import leukoscope.cli  # noqa: F401
from leukoscope.viz import add_beginning, kedro_viz_run, serve

# While this is loaded, pipelines are those that Kedro-Viz draws, for all other tests of this process too.
sys.modules.pop("kedro_viz.integrations.kedro.data_loader", None)


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser is sent to by a Kedro-Viz that starts at once."""
    addresses: list[str] = []

    def start(host: str, port: int, **_: object) -> None:
        assert server.run_server is serve
        utils.display_cli_message("Starting Kedro Viz ...", "green")
        utils.display_cli_message(f"Kedro Viz is running at \n http://{host}:{port}/", "green")
        utils._start_browser(host, port)

    monkeypatch.setattr(kedro_viz_run, "callback", start)
    monkeypatch.setattr(webbrowser, "open_new", addresses.append)
    return addresses


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--port", "4141"]])
def test_kedro_viz_opens_stages_and_models_alone(opened, arguments):
    before = utils.display_cli_message, server.run_server
    told = CliRunner().invoke(viz, arguments, catch_exceptions=False).output
    assert opened == ["http://127.0.0.1:4141/?types=nodes"]
    assert " http://127.0.0.1:4141/?types=nodes\n" in told
    assert told.count("under Filters") == 1
    assert (utils.display_cli_message, server.run_server) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pipeline", "train_resnet5"], "There is no pipeline 'train_resnet5'. Did you mean train_resnet50"),
        (["--env", "nowhere"], "There is no environment nowhere in conf/."),
    ],
)
def test_what_there_is_not_is_refused_at_once(opened, arguments, words, project_path, monkeypatch):
    monkeypatch.chdir(project_path)
    bootstrap_project(project_path)
    result = CliRunner().invoke(viz, ["run", *arguments])
    assert result.exit_code == 1
    assert words in result.output
    assert opened == []


def test_its_other_commands_stay():
    assert {"build", "deploy", "run"} <= set(viz.list_commands(None))


def test_its_page_gets_a_beginning_before_it_looks_for_one():
    html = (Path(kedro_viz.__file__).parent / "html/index.html").read_text()
    page = add_beginning(html)
    assert page.index("localStorage.setItem") < page.index('<script type="module"')
    assert "JSON.stringify({" in page
    kept = page.partition("JSON.stringify(")[2].partition("))</script>")[0]
    assert json.loads(kept)["nodeType"]["disabled"] == {"parameters": True, "task": False, "data": True}


def test_the_page_that_is_served_has_it(monkeypatch):
    made = []
    monkeypatch.setattr(apps, "HTMLResponse", apps.HTMLResponse)
    monkeypatch.setattr(server, "run_server", lambda **_: made.append(apps.HTMLResponse("<html><head></head></html>")))
    serve(host="127.0.0.1", port=4141)
    assert b"<head><script>localStorage.getItem('KedroViz') ?? localStorage.setItem(" in made[0].body
