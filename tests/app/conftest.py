"""What the tests of the review page have in common: a desk with a reader that goes by brightness."""

import http.client
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from leukoscope.app.doubts import Doubts
from leukoscope.app.options import AppOptions
from leukoscope.app.reading import Desk
from leukoscope.app.rendering import About, describe_reader
from leukoscope.app.server import Office, create_server
from leukoscope.datasets import LabelReviewsDataset, ReviewsDataset
from leukoscope.pipelines.explain.options import ExplanationOptions
from review_page import make_issues, open_browser
from tiny_reader import make_reader, shade

CARD = "# Model card: Tiny\n\n## Metrics\n\n| | test |\n|---|---|\n| accuracy | 0.5 |\n\n<script>alert(1)</script>\n"


class TrainingImages:
    """Stands in for the packed images that the reader learned from."""

    def __init__(self, seen: pd.DataFrame) -> None:
        self.records = seen[["image_id", "sha256"]].assign(label="Early", row=np.arange(len(seen)))
        self.pixels = np.stack([shade(int(name.split("/")[1])) for name in seen["image_id"]])


@pytest.fixture(scope="session")
def desk() -> Desk:
    reader = make_reader(ood_limit=2.0)
    options = AppOptions(max_images=3, max_bytes=50_000, picture_side=200)
    return Desk(reader, options, ExplanationOptions(patch=0.5, stride=0.5), 1, TrainingImages(reader.seen))


@pytest.fixture(scope="session")
def about(desk) -> About:
    return describe_reader(desk.reader, CARD)


class Answer(NamedTuple):
    status: int
    text: str
    headers: http.client.HTTPMessage


class Client:
    """Asks a server that runs in a thread, over a real connection."""

    def __init__(self, port: int) -> None:
        self.port, self.origin = port, f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str, content: bytes | Iterable[bytes] | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode("utf-8", "replace"), answer.headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, content: bytes | Iterable[bytes], **headers: str) -> Answer:
        return self.ask("POST", path, content, **{"Origin": self.origin} | headers)


@contextmanager
def serve(server) -> Iterator[Client]:
    import uvicorn

    running = uvicorn.Server(uvicorn.Config(server, host="127.0.0.1", port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield Client(running.servers[0].sockets[0].getsockname()[1])
    running.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
def serving():
    return serve


@pytest.fixture(scope="session")
def reviews(tmp_path_factory) -> ReviewsDataset:
    return ReviewsDataset(filepath=str(tmp_path_factory.mktemp("reviews") / "reviews.db"))


@pytest.fixture(scope="session")
def label_reviews(reviews) -> LabelReviewsDataset:
    return LabelReviewsDataset(filepath=str(reviews._filepath))


@pytest.fixture(scope="session")
def doubts(desk, label_reviews) -> Doubts:
    issues = make_issues(desk.reader.seen)
    return Doubts(issues, desk._smears, None, ["Benign", "Early", "Pre", "Pro"], label_reviews.save)


@pytest.fixture(scope="session")
def office(desk, about, doubts) -> Office:
    return Office(desk, about._replace(warning="Trained on <drawn> data"), doubts)


@pytest.fixture(scope="session")
def address(office, reviews, serving):
    pytest.importorskip("nicegui", reason="the extra app is not installed")
    from leukoscope.app import page

    server = create_server(office)
    page.add_page(server, office, reviews.save)
    with serving(server) as client:
        yield f"http://127.0.0.1:{client.port}/"


@pytest.fixture(scope="module")  # while it is open, no other test of the process can run a loop of its own
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def asked() -> list[str]:
    """Every address that the browser asks for, WebSockets among them."""
    return []


@pytest.fixture
def page(browser, address, asked):
    context = browser.new_context(viewport={"width": 1300, "height": 900}, accept_downloads=True)
    context.set_default_timeout(20_000)
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("websocket", lambda socket: asked.append(socket.url))
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address)
    page.get_by_role("heading", name="Add smears").wait_for()
    yield page
    context.close()
    assert faults == []
