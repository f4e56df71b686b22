"""Kedro-Viz' command `run`, which shows at first what can be read: stages and models, and these over the whole width.

Its page opens with all data sets, a tour and a side bar, at a third of its size, and keeps in the browser what somebody
chooses instead. It has no option for another beginning, so that the page gets one before it looks for such a choice.
"""

import json
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import click
from kedro.framework.project import settings
from kedro_viz import server
from kedro_viz.launchers import utils
from kedro_viz.launchers.cli.run import run as kedro_viz_run

from leukoscope.cli import require_pipelines

# In an address it wins over what the browser has kept, of this project or of another one.
STAGES = "?types=nodes"
_HINT = (
    "These are stages and models. The side bar has the pipelines, and under Filters the data sets with their previews."
)
_KEPT = "KedroViz"  # in the browser
_AT_FIRST = {
    "showFeatureHints": False,
    "nodeType": {"disabled": {"parameters": True, "task": False, "data": True}},
    "visible": {"sidebar": False, "miniMap": False, "graph": True, "slicing": True, "code": False},
}


def add_beginning(html: str) -> str:
    """Add to Kedro-Viz' page what it shows in a browser that has kept nothing of it.

    Args:
        html: The page.
    """
    script = (
        f"localStorage.getItem('{_KEPT}') ?? localStorage.setItem('{_KEPT}', JSON.stringify({json.dumps(_AT_FIRST)}))"
    )
    return html.replace("<head>", f"<head><script>{script}</script>", 1)


def serve(**options: Any) -> None:
    """Serve Kedro-Viz, with this beginning, in a process of its own.

    Args:
        options: As its own function takes them.
    """
    from fastapi.responses import HTMLResponse
    from kedro_viz.api import apps

    class Page(HTMLResponse):
        def render(self, content: Any) -> bytes | memoryview:
            return super().render(add_beginning(content))

    apps.HTMLResponse = Page
    server.run_server(**options)


def _run(**options: Any) -> Any:
    _require(**options)
    with _replacing():
        return kedro_viz_run.callback(**options)


def _require(env: str | None, pipeline: str | None, params: dict[str, Any], **_: Any) -> None:
    """Refuse what its own process would end by, while the command waits for ten minutes."""
    conf = Path.cwd() / settings.CONF_SOURCE
    if env and conf.is_dir() and not (conf / env).is_dir():
        raise click.ClickException(f"There is no environment {env} in {settings.CONF_SOURCE}/. Nothing was started.")
    names = [pipeline] if pipeline else []
    require_pipelines({"conf_source": str(conf), "env": env, "params": params, "pipelines": names})


@contextmanager
def _replacing() -> Iterator[None]:
    """Let Kedro-Viz' command serve by this module, and tell and open the address of stages and models."""
    tell, open_new, run_server = utils.display_cli_message, webbrowser.open_new, server.run_server

    def tell_of_stages(message: str, color: str | None = None) -> None:
        is_address = message.endswith("/") and "http://" in message
        tell(f"{message}{STAGES}" if is_address else message, color)
        if is_address:
            click.echo(_HINT)

    utils.display_cli_message, server.run_server = tell_of_stages, serve
    webbrowser.open_new = lambda url: open_new(f"{url}{STAGES}")
    try:
        yield
    finally:
        utils.display_cli_message, webbrowser.open_new, server.run_server = tell, open_new, run_server


run = copy(kedro_viz_run)
run.callback = _run


if __name__ == "__main__":
    for place in map(Path, sys.argv[1:]):  # pages that `kedro viz build` has made
        place.write_text(add_beginning(place.read_text(encoding="utf-8")), encoding="utf-8")
