"""How fast the ingestion packs images, beside a bare loop that only reads, hashes, decodes and resizes; and its memory.

    python benchmarks/bench_ingestion.py [FOLDER]

FOLDER holds the class folders, or the `Original` that does; without it images are made. The ratio should be 0.8 or
more, and packing 20,000 images should need within 10 % of the memory for 2,000; the manifest adds 2 KiB an image.
"""

import argparse
import hashlib
import io
import multiprocessing
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from harness import CLASSES, make_images
from PIL import Image

from leukoscope.images.decoding import Limits
from leukoscope.images.manifest import make_manifest
from leukoscope.images.packing import PackedImages, PackingPlan, save_packed
from leukoscope.images.source import open_source

LIMITS = Limits(min_side=32, max_pixels=50_000_000, max_bytes=100_000_000)
SIZE, BATCH, WORKERS, REPEATS = 224, 16, 2, 9


def pack(folder: Path, store: Path) -> None:
    """Pack a folder."""
    save_packed(PackingPlan(open_source(folder), CLASSES, SIZE, LIMITS, WORKERS), store)


def decode_only(folder: Path) -> None:
    """Do all that packing does but write."""
    for _ in PackingPlan(open_source(folder), CLASSES, SIZE, LIMITS, WORKERS).pack():
        pass


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
        image = Image.open(io.BytesIO(data)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
        np.asarray(image)


def measure_speed(folder: Path, store: Path) -> None:
    """Print the images a second of both, the median of alternating repeats."""
    bare, unwritten, packed = [], [], []
    # The first round fills the disk's cache and imports what is imported late.
    for _ in range(REPEATS + 1):
        bare.append(time_call(run_bare_loop, folder))
        unwritten.append(time_call(decode_only, folder))
        packed.append(time_call(pack, folder, store))
        count = len(PackedImages(store))
        shutil.rmtree(store)
    usual = statistics.median(bare[1:])
    for name, seconds in (("bare loop", bare), ("ingestion", packed), ("ingestion, unwritten", unwritten)):
        own = statistics.median(seconds[1:])
        print(f"{name:<24}{count / own:10.0f} images/s   ratio {usual / own:.2f}")


def time_call(run: Callable[..., None], *arguments: Path) -> float:
    """Give the seconds that a call takes."""
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


def measure_memory(folder: Path, scratch: Path) -> None:
    """Print the peak memory of a new process that packs the folder and makes the manifest."""
    command = [sys.executable, __file__, "--only-peak", str(scratch), str(folder)]
    count, packing, all_of_it = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    print(f"{count + ' images':<24}{packing:>10} MiB at most, {all_of_it} MiB with the manifest")


def print_peak(folder: Path, scratch: Path) -> None:
    """Pack, make the manifest, and print the number of images and the peak memory after each in MiB."""
    pack(folder, scratch)
    packing = measure_peak()
    manifest = make_manifest(PackedImages(scratch).records, 40)
    print(len(manifest), packing, measure_peak())


def measure_peak() -> int:
    """Give the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument("--only-peak", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_peak:
        print_peak(options.folder, options.only_peak)
        return
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for count in (2_000, 20_000):
            make_images(scratch / f"images-{count}", count)
        measure_speed(options.folder or scratch / "images-2000", scratch / "store")
        for count in (2_000, 20_000):
            measure_memory(scratch / f"images-{count}", scratch / f"store-{count}")


if __name__ == "__main__":
    main()
