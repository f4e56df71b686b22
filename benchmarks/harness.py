"""What the benchmarks share: made images, alternating repeats, and results with their targets."""

import json
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from clock import Seconds, time_epochs
from PIL import Image

from leukoscope.images.decoding import Limits
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_source

CLASSES = ("Benign", "Early", "Pre", "Pro")
Medians = dict[str, float]
RESULTS = Path(__file__).parent / "results" / "latest.json"
PROFILE = RESULTS.with_name("profile.json")


@dataclass(frozen=True)
class Result:
    """One figure with what it should be.

    Attributes:
        name: What was compared.
        value: Median of the repeats, most often a ratio.
        target: What it should be at least, or at most; None where there is no target.
        at_most: Whether a smaller value is better.
        note: The medians that it comes from.
    """

    name: str
    value: float
    target: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target was met."""
        if self.target is None:
            return None
        return bool(self.value <= self.target if self.at_most else self.value >= self.target)


def make_images(folder: Path, count: int, size: int = 224) -> None:
    """Write JPEGs of the size of the published smears, each another one."""
    generator = np.random.default_rng(0)
    for number in range(count):
        path = folder / CLASSES[number % len(CLASSES)] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (28, 28, 3), np.uint8)
        Image.fromarray(pixels).resize((size, size)).save(path, quality=90)


def make_plan(folder: Path, workers: int | None = None) -> PackingPlan:
    """Plan to pack a folder of smears at 224 pixels."""
    return PackingPlan(open_source(folder), CLASSES, 224, Limits(32, 10**8, 10**8), workers)


def pack(folder: Path, store: Path) -> PackedImages:
    """Pack a folder of smears at 224 pixels."""
    save_packed(make_plan(folder), store)
    return PackedImages(store)


def alternate(repeats: int, after_each: Callable[[], None] | None = None, **calls: Callable[[], Any]) -> Medians:
    """Time calls in turn, after one round that counts for nothing, and give the median seconds of each.

    Args:
        repeats: Rounds that count.
        after_each: Tidies up after a round, untimed.
        calls: What is timed, unless it answers with `Seconds`.
    """
    seconds = defaultdict[str, list[float]](list)
    for _ in range(repeats + 1):
        _time_each(calls, seconds)
        if after_each:
            after_each()
    return _medians(seconds)


def alternate_with_epochs(model, batches, repeats: int, **calls: Callable[[], Any]) -> Medians:
    """Time the epochs of one training, and calls between them; the first round counts for nothing.

    Returns:
        The median seconds of ``epoch`` and of each call.
    """
    seconds = defaultdict[str, list[float]](list)

    def note(epoch: Seconds) -> None:
        seconds["epoch"].append(epoch)
        _time_each(calls, seconds)

    time_epochs(model, batches, repeats + 1, note)
    return _medians(seconds)


def _time_each(calls: dict[str, Callable[[], Any]], seconds: dict[str, list[float]]) -> None:
    for name, call in calls.items():
        started = time.perf_counter()
        answer = call()
        took = time.perf_counter() - started
        seconds[name].append(answer if isinstance(answer, Seconds) else took)


def _medians(seconds: dict[str, list[float]]) -> Medians:
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def describe_machine() -> str:
    """Name the processor, its cores and its memory."""
    from leukoscope.backend.device import cpu_has_bfloat16

    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    bfloat16 = "yes" if cpu_has_bfloat16() else "no"
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {psutil.cpu_count()} cores, {memory:.0f} GiB, bfloat16 instructions: {bfloat16}"


def write(results: list[Result]) -> None:
    """Keep the results, each in the place of the one before it, beside those of other benchmarks and other machines."""
    RESULTS.parent.mkdir(exist_ok=True)
    before = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    facts = _describe_now()
    now = [asdict(one) | {"value": float(one.value), "met": one.met} | facts for one in results]
    kept = {(one["name"], one["machine"]): one for one in before + now}
    RESULTS.write_text(json.dumps(list(kept.values()), indent=2) + "\n")


def write_profile(seconds: dict[str, dict[str, float]]) -> None:
    """Keep how many seconds of a step each kind of operation takes, on each side."""
    PROFILE.parent.mkdir(exist_ok=True)
    PROFILE.write_text(json.dumps(_describe_now() | {"seconds": seconds}, indent=2) + "\n")


def _describe_now() -> dict[str, str]:
    return {"machine": describe_machine(), "date": date.today().isoformat()}
