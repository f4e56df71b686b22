"""What a cluster of two processes on this machine costs beside one process, and the memory of client and scheduler.

    python benchmarks/bench_cluster.py [speed | memory | plan] ...

Speed is that of drawn smears, of which the cluster's two processes have a thread each, and the one process has two.
Memory is of 20,000 and 200,000 links to a few images, read and packed by stand-ins that cost next to nothing. The
plan is of 20,000 parts of 512 names without files, each an empty task.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

# Of the one process; workers take their own share.
os.environ["OMP_NUM_THREADS"] = "2"
os.environ["TF_NUM_INTRAOP_THREADS"] = "2"

import harness
import numpy as np
import pandas as pd
import psutil
from cluster_client import PARTS, describe_load, read_cpu_time, run_client
from harness import Result, alternate
from PIL import Image
from standing_in import LIMITS

from leukoscope.cluster.parts import Workers
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.shards import pack_by_parts
from leukoscope.images.source import open_any
from leukoscope.reader import reading
from leukoscope.reader.parts import ReaderFiles, spread_reading
from leukoscope.reader.reading import ReadingPlan, carry_out, gather_parts
from leukoscope.reader.second_reader import SecondReader
from leukoscope.synthetic import draw_smear

SMEARS, SIDE, LINKS, READ, PART, REPEATS = 100, 512, 20, 200, 20, 2
SIZES = (20_000, 200_000)


def draw(folder: Path) -> None:
    """Draw smears, and link each under some names more; those to read are some of them."""
    for number in range(SMEARS):
        label = harness.CLASSES[number % len(harness.CLASSES)]
        first = folder / label / f"{number:03}-0.jpg"
        first.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_smear(label, np.random.default_rng(number), SIDE)).save(first, quality=90)
        for link in range(1, LINKS):
            os.link(first, first.with_name(f"{number:03}-{link}.jpg"))
        for link in range(READ // SMEARS):
            some = folder.with_name("some") / f"{number:03}-{link}.jpg"
            some.parent.mkdir(exist_ok=True)
            os.link(first, some)


def link_many(folder: Path, count: int) -> None:
    """Make names for a few small images, a thousand in a folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(8):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"image-{number}.png")
    for number in range(count - 8):
        place = folder / f"slide-{number // 1000:03}"
        if number % 1000 == 0:
            place.mkdir()
        os.link(folder / f"image-{number % 8}.png", place / f"field-{number:06}.png")


def bench_speed(scratch: Path) -> Iterator[Result]:
    """Compare ingestion and prediction by two workers with one process of two threads."""
    from leukoscope.cluster.client import connect
    from leukoscope.cluster.options import ClusterOptions

    draw(scratch / "smears")
    reading._PART = PART
    images = np.stack([draw_smear("Pro", np.random.default_rng(number), 224) for number in range(16)])
    reader = make_reader(images)
    (scratch / "reader").mkdir()
    reader.save(scratch / "reader")
    packing = PackingPlan(open_any(scratch / "some"), None, 224, LIMITS, None)
    plan = ReadingPlan(reader, packing)
    address = ReaderFiles.find(reader, scratch / "reader", scratch / "engine")
    with connect(ClusterOptions(workers=2, timeout=60), Path.cwd(), scratch) as client:
        opening = lambda: nullcontext(Workers(client))  # noqa: E731
        for what, files, one, two in (
            (
                "ingestion",
                SMEARS * LINKS,
                lambda: save_packed(harness.make_plan(scratch / "smears", 2), scratch / "one"),
                lambda: save_packed(
                    harness.make_plan(scratch / "smears", None),
                    scratch / "two",
                    partial(pack_by_parts, opening, scratch / "shards", notes=scratch / "shards"),
                ),
            ),
            (
                "predict",
                READ,
                lambda: read(plan, scratch / "one", None),
                lambda: read(plan, scratch / "two", partial(spread_reading, opening, address, notes=scratch / "notes")),
            ),
        ):
            spent = CpuTime(list(client.run(os.getpid).values()))
            calls = {"one": partial(spent.note, "one", one), "two": partial(spent.note, "two", two)}
            times = alternate(REPEATS, lambda: clear(scratch), **calls)
            for name, seconds in (("", times), (", per CPU second", spent.medians())):
                rates = {way: files / took for way, took in seconds.items()}
                note = f"{rates['two']:.1f} against {rates['one']:.1f} images/s, {describe_load()}"
                yield Result(f"{what} by 2 workers / by 2 threads{name}", rates["two"] / rates["one"], 0.9, note=note)


class CpuTime:
    """Sums up the CPU time of this process and its workers: a busy machine gives more of it to who has more threads.

    Args:
        workers: The numbers of their processes.
    """

    def __init__(self, workers: Sequence[int]) -> None:
        self._processes = [psutil.Process(number) for number in [os.getpid(), *workers]]
        self._seconds: dict[str, list[float]] = {}

    def note(self, name: str, call: Callable[[], object]) -> None:
        """Call something, and note what it took."""
        before = self._read()
        call()
        self._seconds.setdefault(name, []).append(self._read() - before)

    def medians(self) -> dict[str, float]:
        """Give the median seconds of each, without the first round."""
        return {name: statistics.median(seconds[1:]) for name, seconds in self._seconds.items()}

    def _read(self) -> float:
        return sum(read_cpu_time(process.pid) for process in self._processes)


def make_reader(images: np.ndarray) -> SecondReader:
    """Make a reader of MobileNetV2 with random weights, that knows the images."""
    from leukoscope.evaluation import feature_table
    from leukoscope.evaluation.trust import Calibration
    from leukoscope.images.field_checks import check_fields
    from leukoscope.inference.predictor import Predictor
    from leukoscope.models.network import build_classifier
    from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe

    recipe = resolve_recipe("mobilenet_v2", Recipe(weights="none", input_size=224), RecipeDifferences())
    classifier = replace(build_classifier("mobilenet_v2", recipe, harness.CLASSES, seed=0), image_size=224)
    features = Predictor(classifier, 16).predict(images)[1]
    ids = [f"{number:064x}" for number in range(len(images))]
    labels = [harness.CLASSES[number % 4] for number in range(len(images))]
    facts = pd.DataFrame({"image_id": ids, "split": "train", "label": labels, "sha256": ids})
    facts["model"] = classifier.fingerprint
    calibration = Calibration(1.0, 0.5, 10.0, [[0.1]] * len(harness.CLASSES), model=classifier.fingerprint)
    seen = feature_table.tabulate(facts, features, check_fields(images))
    return SecondReader("mobilenet_v2", classifier, calibration, seen, harness.CLASSES[:1], LIMITS)


def read(plan: ReadingPlan, folder: Path, spread: object) -> None:
    """Read all images of a plan."""
    unread = carry_out(plan, folder / "opinions", spread)
    gather_parts(plan, unread, folder / "opinions", folder / "opinions.parquet", folder / "opinions.csv")


def clear(scratch: Path) -> None:
    """Remove what was made."""
    for name in ("one", "two", "shards", "notes"):
        shutil.rmtree(scratch / name, ignore_errors=True)


def bench_memory(scratch: Path) -> Iterator[Result]:
    """Compare the peak memory of client and scheduler of many files with that of a tenth of them."""
    for what in ("read", "pack"):
        facts = {}
        for count in SIZES:
            link_many(scratch / f"links-{count}", count)
            facts[count] = run_client(scratch, what, scratch / f"links-{count}")
            shutil.rmtree(scratch / f"links-{count}")
        few, many = (facts[count] for count in SIZES)
        for role in ("client", "scheduler"):
            sizes = f"{many[role]:.0f} against {few[role]:.0f} MiB"
            note = f"{sizes}; {many['seconds']:.0f} s, {describe_load()}"
            name = f"{what}: peak memory of the {role}, 200,000 / 20,000 files"
            yield Result(name, many[role] / few[role], 1.2, True, note)


def bench_plan(scratch: Path) -> Iterator[Result]:
    """Plan to read 20,000 parts of 512 files, and send each as a task that only lists its files."""
    facts = run_client(scratch, "plan", scratch)
    made = f"{facts['naming']:.0f} s to list and name the files ({facts['making']:.0f} s of CPU time to make them up)"
    note = f"of these {made}, and {facts['hashing']:.0f} s to hash them; {describe_load()}"
    yield Result("seconds for a plan of 20,000 parts of 512 files", facts["seconds"], 60, True, note)
    spent = ", ".join(f"{facts[f'{role} CPU']:.0f} s of the {role}" for role in ("client", "scheduler", "workers"))
    yield Result("ms of the client's CPU time a part", 1000 * facts["client CPU"] / PARTS, 3, True, f"CPU: {spent}")
    note = f"scheduler {facts['scheduler']:.0f} MiB"
    yield Result("GiB of the client meanwhile", facts["client"] / 1024, 1, True, note)


def main() -> None:
    """Run benchmarks, and print and keep what they give."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["speed", "memory", "plan"])
    options = parser.parse_args()
    benches = {"speed": bench_speed, "memory": bench_memory, "plan": bench_plan}
    for name in options.what:
        with tempfile.TemporaryDirectory() as scratch:
            for result in benches[name](Path(scratch)):
                print(f"{result.name}: {result.value:.2f} ({result.note})", flush=True)


if __name__ == "__main__":
    main()
