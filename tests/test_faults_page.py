"""The review page, killed for real at random moments while somebody reviews: ``make test-faults``."""

import logging
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from leukoscope.datasets import ReviewsDataset
from review_page import SURE, add, answer, card, needs_browser, open_browser
from tiny_reader import make_reader

logger = logging.getLogger(__name__)
pytestmark = [*needs_browser, pytest.mark.faults]

KILLS = 10
SEED = int(os.environ.get("LEUKOSCOPE_FAULT_SEED", random.randrange(10**6)))
# In turn, so that each acknowledgement differs from the one before.
ANSWERS = [("Early", ": agree, Early."), ("Pro", ": disagree, Pro.")]


def serve_page(file: str, port: int) -> None:
    """Serve the page with a reader that is made in a moment; runs in a process of its own."""
    import uvicorn

    from leukoscope.app.options import AppOptions
    from leukoscope.app.page import add_page
    from leukoscope.app.reading import Desk
    from leukoscope.app.rendering import describe_reader
    from leukoscope.app.server import Office, create_server
    from leukoscope.pipelines.explain.options import ExplanationOptions

    reader = make_reader()
    office = Office(Desk(reader, AppOptions(), ExplanationOptions(), 1), describe_reader(reader, None))
    server = create_server(office)
    add_page(server, office, ReviewsDataset(filepath=file).save)
    uvicorn.run(server, host="127.0.0.1", port=port, log_level="warning")


def start(file: Path, log: Path) -> tuple[subprocess.Popen, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"from test_faults_page import serve_page; serve_page({str(file)!r}, {port})"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=Path(__file__).parent, env=environment, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}/"
    for _ in range(240):
        try:
            urllib.request.urlopen(address, timeout=5)
            return process, address
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def review_until_killed(page, process: subprocess.Popen, name: str, delay: float) -> list[str]:
    """Keep reviews, each with a note of its own; give the notes of those that the page called kept."""
    form, kept = card(page, 1), []
    killer = threading.Timer(delay, process.kill)
    while process.poll() is None:
        label, acknowledgement = ANSWERS[len(kept) % 2]
        answer(form, label).check()
        form.get_by_label("Note").fill(f"{name}-{len(kept)}")
        form.get_by_role("button", name="Keep this review").click()
        while process.poll() is None:
            if form.get_by_text(acknowledgement).count():
                kept.append(f"{name}-{len(kept)}")
                if len(kept) == 1:
                    killer.start()
                break
    return kept


@pytest.fixture
def browser():
    with open_browser() as browser:
        yield browser


def test_a_page_that_is_killed_loses_no_review_that_it_kept(browser, tmp_path):
    pytest.importorskip("nicegui", reason="the extra app is not installed")
    chance, file, kept = random.Random(SEED), tmp_path / "reviews.db", []
    for number in range(KILLS):
        process, address = start(file, tmp_path / "log.txt")
        page = browser.new_page()
        page.goto(address)
        assert add(page, SURE) == "1 read, 0 not read"
        kept += review_until_killed(page, process, str(number), chance.uniform(0, 0.7))
        page.close()
        notes = ReviewsDataset(filepath=str(file)).load()["note"].tolist()
        # The last of each round may have been kept before the page could say so.
        assert set(kept) <= set(notes)
        assert len(notes) == len(set(notes)) <= len(kept) + number + 1
    logger.warning(
        "LEUKOSCOPE_FAULT_SEED=%d: %d kills, %d reviews called kept, %d there", SEED, KILLS, len(kept), len(notes)
    )
