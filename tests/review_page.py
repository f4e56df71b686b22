"""What the browser tests of the review page do, and the files that they choose."""

import shutil
from contextlib import contextmanager

import pandas as pd
import pytest

from tiny_reader import encode, shade

CHROMIUM = shutil.which("chromium")
needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FILES = "input[type=file]"


@contextmanager
def open_browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright, of the extra dev, is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def file(name: str, content: bytes) -> dict:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def smear(brightness: int) -> bytes:
    """Make a field with a dark half, so that maps have something to show."""
    pixels = shade(brightness, 64).copy()
    pixels[:, :20] = 40
    return encode(pixels)


SURE, UNSURE, UNLIKE = (file(f"Jane Roe {one}.png", encode(shade(one))) for one in (160, 130, 255))


def add(page, *files: dict) -> str:
    """Choose files, and give what the page says in the end."""
    page.set_input_files(FILES, list(files))
    status = page.locator(".drop [role=status]", has_text="not read")
    status.wait_for()
    said = status.inner_text()
    rows = "number => document.querySelectorAll('[role=option][id]').length >= number"
    page.wait_for_function(rows, arg=int(said.split()[0]))
    return said


def row(page, number: int):
    return page.locator(f"#row-{number}")


def list_rows(page) -> list[int]:
    """Give the numbers of the images that the work list shows, in its order."""
    return [int(one.get_attribute("id").split("-")[1]) for one in page.locator("[role=option][id]").all()]


def card(page, number: int):
    """Choose an image in the work list, and give what is shown of it."""
    if row(page, number).get_attribute("aria-selected") == "false":
        row(page, number).click()
    return page.get_by_role("article", name=f"Image {number}", exact=True)


def answer(shown, words: str):
    return shown.get_by_role("radio", name=words, exact=True)


def review(page, number: int, words: str, note: str = "") -> None:
    shown = card(page, number)
    answer(shown, words).check()
    shown.get_by_label("Note").fill(note)
    shown.get_by_role("button", name="Keep this review").click()
    row(page, number).locator(".mark", has_text=words).wait_for()


def make_issues(seen: pd.DataFrame, number: int = 2) -> pd.DataFrame:
    """Make a list of doubtful labels of the first images that the reader learned from."""
    table = seen[["image_id", "sha256"]].head(number).reset_index(drop=True)
    facts = {"path": "raw", "label": "Early", "group": table["image_id"], "suggested": "Pro", "data": "f00d"}
    return table.assign(**facts, probability_label=0.1, probability_suggested=0.8, models=2, of_models=3)
