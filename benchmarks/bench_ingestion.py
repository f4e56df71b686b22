"""How fast the ingestion packs images, beside a bare loop that only reads, hashes, decodes and resizes; and its memory.

    python benchmarks/bench_ingestion.py [FOLDER]

FOLDER holds the class folders, or the `Original` that does; without it images are made. Memory is that of
`kedro run --pipelines ingestion`.
"""

import argparse
import hashlib
import io
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import harness
import numpy as np
import page
from harness import Result
from PIL import Image

from leukoscope.images.packing import save_packed

BATCH, WORKERS, REPEATS = 16, 2, 9
PROJECT = Path(__file__).parents[1]


def run_bare_loop(folder: Path) -> None:
    """Read, hash, decode and resize to arrays in as many processes, and throw them away."""
    paths = sorted(folder.rglob("*.jpg"))
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("fork")) as pool:
        list(pool.map(process_bare, [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]))


def process_bare(paths: list[Path]) -> None:
    """Read, hash, decode and resize some files."""
    for path in paths:
        data = path.read_bytes()
        hashlib.sha256(data).hexdigest()
        image = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.LANCZOS)
        np.asarray(image)


def decode_only(folder: Path) -> None:
    """Do all that packing does but write."""
    for _ in harness.make_plan(folder, WORKERS).pack():
        pass


def bench_speed(folder: Path, store: Path) -> Iterator[Result]:
    """Compare packing, with and without writing what was decoded, with the bare loop."""
    count = len(harness.make_plan(folder).files)
    times = harness.alternate(
        REPEATS,
        after_each=lambda: shutil.rmtree(store),
        bare=lambda: run_bare_loop(folder),
        unwritten=lambda: decode_only(folder),
        packed=lambda: save_packed(harness.make_plan(folder, WORKERS), store),
    )
    rates = {name: count / seconds for name, seconds in times.items()}
    for name, what, target in (("packed", "ingestion", 0.8), ("unwritten", "ingestion without writing", None)):
        note = f"{rates[name]:.0f} against {rates['bare']:.0f} images/s"
        yield Result(f"{what} / bare loop", rates[name] / rates["bare"], target, note=note)


def bench_memory(scratch: Path) -> Iterator[Result]:
    """Compare the peak memory of `kedro run --pipelines ingestion` for 20,000 images with that for 2,000."""
    peaks = {}
    for count in (2_000, 20_000):
        project = scratch / f"project-{count}"
        shutil.copytree(PROJECT / "conf", project / "conf")
        for file in ("pyproject.toml", ".telemetry"):
            shutil.copy(PROJECT / file, project)
        shutil.copytree(PROJECT / "src", project / "src")
        images = scratch / f"images-{count}"
        command = [sys.executable, __file__, "--peak-of", str(images)]
        done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
        peaks[count] = int(done.stdout.split()[-1])
    note = f"{peaks[20_000]} MiB against {peaks[2_000]} MiB"
    yield Result("peak memory of ingesting 20,000 / 2,000 images", peaks[20_000] / peaks[2_000], 1.1, True, note)


def print_peak(folder: Path) -> None:
    """Run the ingestion as people do, and print the most memory that it held, in MiB."""
    kedro = Path(sys.executable).with_name("kedro")
    command = [str(kedro), "run", "--pipelines", "ingestion", "--params", f"raw_images={folder}"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed; its error is above.")
    print(usage.ru_maxrss // 1024)


def main() -> None:
    """Run the benchmarks, print and keep their results, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        print_peak(options.peak_of)
        return
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for count in (2_000, 20_000):
            harness.make_images(scratch / f"images-{count}", count)
        folder = options.folder or scratch / "images-2000"
        page.keep(bench_speed(folder, scratch / "store"), bench_memory(scratch))


if __name__ == "__main__":
    main()
