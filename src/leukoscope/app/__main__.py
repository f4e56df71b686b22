"""Start the review page: ``python -m leukoscope.app --env demo``."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import CatalogProtocol, DatasetError
from kedro.utils import find_kedro_project
from pydantic import ValidationError

from leukoscope.app.options import AppOptions
from leukoscope.core.errors import InputError
from leukoscope.core.faults import explain
from leukoscope.core.options import describe_faults

if TYPE_CHECKING:
    from leukoscope.app.doubts import Doubts
    from leukoscope.app.showings import Showings


@click.command()
@click.option("--env", default=None, help="The Kedro environment, such as demo.")
@click.option("--port", default=8050, type=click.IntRange(1024, 65535), show_default=True, help="On 127.0.0.1.")
def main(env: str | None, port: int) -> None:
    """Review smears in a local page, with the second reader that the pipeline `reader` chose."""
    if find_spec("nicegui") is None:
        raise InputError("The review page needs NiceGUI, which is not installed. `make app` does, as the extra `app`.")
    project = find_kedro_project(Path.cwd())
    if project is None:
        raise InputError(f"{Path.cwd()} is in no Kedro project. Start the page in Leukoscope's own folder.")
    bootstrap_project(project)
    session = KedroSession.create(project, env=env)
    with session:
        context = session.load_context()
        _require_free(port)
        serve(context.catalog, context.params, port)


def serve(catalog: CatalogProtocol, parameters: dict[str, Any], port: int) -> None:
    """Serve the page until it is interrupted.

    Args:
        catalog: Contains the reader and, if available, model cards and training images.
        parameters: All parameters.
        port: Port on 127.0.0.1.
    """
    import uvicorn

    from leukoscope.app.page import add_page
    from leukoscope.app.reading import Desk
    from leukoscope.app.rendering import describe_reader
    from leukoscope.app.server import HOST, Office, create_server
    from leukoscope.reader.scale import know_scale

    options = check_options(parameters["app"])
    reader = load(catalog, "reader")
    keep = partial(save, catalog, "reviews")
    if "reviews" in catalog:
        keep(pd.DataFrame())  # check early that reviews can be saved, before anyone writes one
    smears = load(catalog, "smears") if catalog.exists("smears") else None
    # The local card does not describe a model from the registry.
    card = None if parameters["reader"].model_uri else find_card(catalog, reader.model)
    log = partial(save, catalog, "opinion_log") if options.log_opinions else None
    if log is not None:
        log(pd.DataFrame())
    reader = know_scale(reader, smears)  # readers saved by earlier versions lack the scale
    desk = Desk(reader, options, parameters["explanation"], parameters["seed"], smears, log)
    doubts = find_doubts(catalog, reader.class_names, smears)
    office = Office(desk, describe_reader(reader, card), doubts, find_showings(catalog, options))
    office.warm_up()
    server = create_server(office)
    add_page(server, office, keep)
    click.echo(f"The review page is at http://{HOST}:{port} until Ctrl-C.")
    uvicorn.run(server, host=HOST, port=port, log_level="warning", access_log=False)


def check_options(given: Any) -> AppOptions:
    """Check the parameters of the page.

    Raises:
        InputError: A name is unknown or a value is invalid.
    """
    try:
        return AppOptions.model_validate(given or {})
    except ValidationError as error:
        raise InputError(f"Wrong parameters below app, nothing was started: {describe_faults(error, 'app')}") from None


def load(catalog: CatalogProtocol, name: str) -> Any:
    """Load a data set, and re-raise only the input error among chained errors.

    Raises:
        InputError: The error reported by the data set.
    """
    with _telling_input_errors():
        return catalog.load(name)


def save(catalog: CatalogProtocol, name: str, data: Any) -> None:
    """Save a data set, and re-raise only the input error among chained errors.

    Raises:
        InputError: The error reported by the data set.
    """
    with _telling_input_errors():
        catalog.save(name, data)


@contextmanager
def _telling_input_errors() -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        raise explain(error) or error from None


def find_card(catalog: CatalogProtocol, model: str) -> str | None:
    """Find the card of a model, if there is one."""
    cards = catalog.load("model_cards") if catalog.exists("model_cards") else {}
    card = cards.get(f"{model}/model_card")
    return card() if card else None


def find_doubts(catalog: CatalogProtocol, class_names: Sequence[str], smears: Any) -> "Doubts | None":
    """Find the doubtful labels to ask reviewers about; ``None`` if they were not searched for."""
    from leukoscope.app.doubts import Doubts

    if not (catalog.exists("label_issues") and "label_reviews" in catalog):
        return None
    known = load(catalog, "label_issues"), smears, load(catalog, "label_reviews"), class_names
    return Doubts(*known, partial(save, catalog, "label_reviews"))


def find_showings(catalog: CatalogProtocol, options: AppOptions) -> "Showings":
    """Load the record of predictions shown to whom; without such a data set it lasts only while the server runs."""
    from leukoscope.app.showings import Showings

    if "shown_opinions" not in catalog:
        return Showings(washout_days=options.washout_days)
    keep = partial(save, catalog, "shown_opinions")
    keep(pd.DataFrame())
    return Showings(load(catalog, "shown_opinions"), keep, options.washout_days)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # Like the server itself, so that a page that was just stopped does not block its port for the next.
        if os.name == "posix":  # on other systems, the option would let two processes share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise InputError(
                f"Port {port} cannot be had: {why}. Stop what has it, or choose another with --port."
            ) from error


if __name__ == "__main__":
    main()
