"""Work by parts that takes no time: a reader that goes by how bright a field is, and what ends workers."""

import io
import os
import signal
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.cluster.parts import Workers
from leukoscope.core.errors import InputError
from leukoscope.core.objects import Where
from leukoscope.core.parting import Outcome, Part, Place
from leukoscope.images import shards
from leukoscope.images.decoding import Limits
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.shards import pack_by_parts
from leukoscope.images.source import open_any, open_source
from leukoscope.reader import reading
from leukoscope.reader.base import Reading
from leukoscope.reader.parts import spread_reading
from leukoscope.reader.reading import ReadingPlan, carry_out, gather_parts

CLASS_NAMES = ("Benign", "Pro")
SIZE = 32
LIMITS = Limits(16, 10**6, 10**6)
DEADLY = 7  # how bright a field is that ends whoever reads it, where that is wanted


@dataclass(frozen=True)
class BrightReader:
    """Says how bright fields are; with a folder it notes there which process reads how many."""

    folder: Path | None = None
    model: str = "bright"
    fingerprint: str = "f" * 16
    data_fingerprint: str = "d" * 16
    trained_on: str = "nothing"
    engine_title: str = "itself"
    certificate: int | None = None
    class_names: tuple[str, ...] = CLASS_NAMES
    image_size: int = SIZE
    limits: Limits = LIMITS

    @cached_property
    def classifier(self) -> SimpleNamespace:
        return SimpleNamespace(fingerprint="c" * 16)

    def read(self, pixels: np.ndarray) -> Reading:
        if self.folder is not None:
            self._note(pixels)
        bright = pixels.mean(axis=(1, 2, 3)) / 255
        opinions = pd.DataFrame({"opinion": np.where(bright > 0.5, *CLASS_NAMES), "reason": "", "ood_score": 1.0})
        opinions["prediction_set"] = opinions["opinion"]
        opinions = opinions.assign(probability_benign=bright, probability_pro=1 - bright)
        measured = pd.DataFrame({"check_bright": bright, "distance_pro": bright})
        return Reading(opinions.assign(probability_malignant=1 - bright), bright[:, None], measured)

    def _note(self, pixels: np.ndarray) -> None:
        with (self.folder / f"read-by-{os.getpid()}").open("a") as file:
            file.write(f"{len(pixels)}\n")
        if (self.folder / "slow").exists():
            time.sleep(0.2)
        while sum(count_read(self.folder).values()) > _read_number(self.folder / "wait"):
            time.sleep(0.02)
        if (np.abs(pixels.mean(axis=(1, 2, 3)) - DEADLY) < 2).any() and (self.folder / "deadly").exists():
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class BrightAddress:
    """Where a worker finds it."""

    folder: Path | None = None
    fault: str = ""

    def load(self) -> BrightReader:
        if self.fault:
            raise InputError(self.fault)
        return BrightReader(self.folder)


def count_read(folder: Path) -> dict[int, int]:
    """Count how many fields each process has read."""
    notes = {int(path.name.rpartition("-")[2]): path.read_text() for path in folder.glob("read-by-*")}
    return {process: sum(map(int, text.split())) for process, text in notes.items()}


def _read_number(file: Path) -> int:
    """Read how many fields may be read before workers wait; where there is no file, all."""
    try:
        return int(file.read_text())
    except FileNotFoundError:
        return 10**9


def make_fields(folder: Path, count: int) -> Path:
    """Make fields of many brightnesses, and a file that is none."""
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True)
    for number in range(count):
        noise = rng.integers(0, 60, (SIZE, SIZE, 3))
        Image.fromarray((noise + 190 * (number % 7) / 6).astype(np.uint8)).save(folder / f"{number:03}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def plan_reading(raw: Path, reader: BrightReader | None = None) -> ReadingPlan:
    """Plan the reading of fields."""
    reader = reader or BrightReader()
    return ReadingPlan(reader, PackingPlan(open_any(raw), None, SIZE, reader.limits))


def read_by(
    place: Place | None, raw: Path, out: Path, address: BrightAddress | None = None, kept: Where | None = None
) -> tuple[bytes, bytes]:
    """Read fields by a place, or in this process, with parts that are kept here or elsewhere; gives both files."""
    plan, kept = plan_reading(raw), kept or out / "opinions"
    given = partial(spread_reading, lambda: nullcontext(place), address or BrightAddress(), notes=out / "opinions")
    out.mkdir(exist_ok=True)
    unread = carry_out(plan, kept, None if place is None else given)
    gather_parts(plan, unread, kept, out / "opinions.parquet", out / "opinions.csv")
    return (out / "opinions.parquet").read_bytes(), (out / "opinions.csv").read_bytes()


def read_as_client(scheduler: str, raw: str, out: str, notes: str) -> None:
    """Be a client of a scheduler, in a process of its own."""
    from distributed import Client

    reading._PART = 4
    with Client(scheduler) as client:
        read_by(Workers(client), Path(raw), Path(out), BrightAddress(Path(notes)))


FILES = ("pixels.npy", "records.parquet", "store.json")
LARGE = Limits(16, 10**7, 10**8)


def make_large(folder: Path, count: int) -> Path:
    """Make fields that take a while to decode: one each of two classes, under many names."""
    for label in CLASS_NAMES:
        (folder / label).mkdir(parents=True)
        noise = np.random.default_rng(len(label)).integers(0, 256, (1800, 1800, 3), np.uint8)
        Image.fromarray(noise).save(folder / label / "000.png", compress_level=1)
        for number in range(1, count // 2):
            os.link(folder / label / "000.png", folder / label / f"{number:03}.png")
    return folder


def pack_by(place: Place | None, raw: Path, store: Path, kept: Where | None = None) -> list[bytes]:
    """Ingest images by a place, or in this process, with shards that are kept here or elsewhere; gives all files."""
    folder = store.with_name(f".{store.name}.shards")
    # A place without workers is false, and is one all the same: they may come.
    by = None if place is None else partial(pack_by_parts, lambda: nullcontext(place), kept or folder, notes=folder)
    save_packed(PackingPlan(open_source(raw), CLASS_NAMES, SIZE, LARGE, 1), store, by)
    return [(store / name).read_bytes() for name in FILES]


def pack_as_client(scheduler: str, raw: str, store: str) -> None:
    """Be a client of a scheduler that ingests, in a process of its own."""
    from distributed import Client

    shards._PART = 2
    with Client(scheduler) as client:
        pack_by(Workers(client), Path(raw), Path(store))


def double(number: int) -> int:
    """Do something that takes no time."""
    return 2 * number


def double_at_leisure(number: int) -> int:
    """Do the same, of which one takes longer than a task should."""
    time.sleep(0.6 if number == 60 else 0)
    return 2 * number


def double_or_die(number: int) -> int:
    """Do the same, but end the process at one."""
    return 2 * number if number != 5 else os._exit(1)


def double_or_fail(number: int) -> int:
    """Do the same, but for one."""
    return 2 * number if number != 3 else 1 // 0


class Here:
    """A place that is this process, where some parts are lost.

    Args:
        lost: Which ones, by their number in the order in which they are sent.
    """

    def __init__(self, *lost: int) -> None:
        self.lost, self.sent = lost, list[Part]()

    def __len__(self) -> int:
        return 1

    def carry_out(self, work, parts):
        for part in parts:
            self.sent.append(part)
            is_lost = len(self.sent) - 1 in self.lost
            yield Outcome(part, None if is_lost else work(part.task), "nobody can" if is_lost else None)


def encode_field(brightness: int) -> bytes:
    """Give the content of a file with a field about as bright, which is not of one colour."""
    content = io.BytesIO()
    shades = np.array([brightness - 3, brightness + 3]).repeat(SIZE // 2)
    Image.fromarray(np.broadcast_to(shades[:, None, None], (SIZE, SIZE, 3)).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()
