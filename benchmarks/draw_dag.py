"""Take the picture of the DAG that README shows: Kedro-Viz itself, in headless Chromium, at 100 %.

Run `python benchmarks/draw_dag.py docs/images/dag.png`, or `make dag`.
"""

import shutil
import sys
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Page, sync_playwright
from viz_server import serve

SIZE = {"width": 1300, "height": 800}
MARGIN = 20
# Without the tour, the side bar and the small map; README is read on white.
STATE = """localStorage.setItem('KedroViz', JSON.stringify({showFeatureHints: false, theme: 'light',
    visible: {sidebar: false, miniMap: false, graph: true, slicing: false, code: false}}))"""
HIDDEN = ".pipeline-global-toolbar, .pipeline-primary-toolbar, .pipeline-sidebar, [class*=update-reminder]"


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
    with serve(Path.cwd()) as address, sync_playwright() as started:
        opened = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        take(opened.new_page(viewport=SIZE), address, place)
        opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
