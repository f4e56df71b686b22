"""Take the picture of the DAG that README shows: Kedro-Viz itself, in headless Chromium, at 100 %.

Run `python benchmarks/draw_dag.py docs/images/dag.png`, or `make dag`.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Page, sync_playwright

PATIENCE = 120  # seconds
SIZE = {"width": 1300, "height": 800}
MARGIN = 20
# Without the tour, the side bar and the small map; README is read on white.
STATE = """localStorage.setItem('KedroViz', JSON.stringify({showFeatureHints: false, theme: 'light',
    visible: {sidebar: false, miniMap: false, graph: true, slicing: false, code: false}}))"""
HIDDEN = ".pipeline-global-toolbar, .pipeline-primary-toolbar, .pipeline-sidebar, [class*=update-reminder]"


@contextmanager
def serve() -> Iterator[str]:
    """Start Kedro-Viz, and end it."""
    port = find_port()
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "kedro", "viz", "run", "--no-browser", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            wait_for(f"http://{address}/api/main", process)
            yield f"http://{address}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def find_port() -> int:
    """Find a free port; Kedro-Viz takes none above 49151, where a system's own choice may be."""
    while True:
        port = random.randrange(20_000, 49_000)
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until Kedro-Viz answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(1)
    raise SystemExit("Kedro-Viz did not start: `kedro viz run --no-browser` says why.")


def take(page: Page, address: str, place: Path) -> None:
    """Open the stages and take their picture, without the empty margin."""
    page.add_init_script(STATE)
    page.goto(f"{address}/?types=nodes")
    page.wait_for_selector(".pipeline-node")
    page.add_style_tag(content=f"{HIDDEN} {{display: none !important}}")
    page.wait_for_timeout(3000)  # until it has stopped moving
    page.screenshot(path=place)
    picture = Image.open(place).convert("RGB")
    empty = Image.new("RGB", picture.size, picture.getpixel((picture.width - 1, picture.height - 1)))
    left, top, right, bottom = ImageChops.difference(picture, empty).getbbox() or (0, 0, *picture.size)
    box = (left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
    picture.crop((*(max(edge, 0) for edge in box[:2]), min(box[2], picture.width), min(box[3], picture.height))).save(
        place, optimize=True
    )


def main(place: Path) -> None:
    """Take the picture."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    with serve() as address, sync_playwright() as started:
        opened = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        take(opened.new_page(viewport=SIZE), address, place)
        opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
