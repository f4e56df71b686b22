"""What stands in for the costly in benchmarks of a cluster; its workers import it too."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leukoscope.core.parting import Outcome, Part, Place
from leukoscope.images.decoding import Limits
from leukoscope.images.files import FoundFile, ImageSource, ReadFile
from leukoscope.images.listing import make_tuple
from leukoscope.images.naming import NamedFile
from leukoscope.images.packing_plan import PackingPlan, Record
from leukoscope.reader.base import Reading

LIMITS = Limits(16, 10**8, 10**8)


@dataclass(frozen=True)
class IdleReader:
    """A reader that looks at nothing, and is its own address."""

    model: str = "idle"
    fingerprint: str = "f" * 16
    data_fingerprint: str = "d" * 16
    trained_on: str = "nothing"
    engine_title: str = "itself"
    certificate: int | None = None
    class_names: tuple[str, ...] = ("Benign", "Pro")
    image_size: int = 32
    limits: Limits = LIMITS

    @cached_property
    def classifier(self) -> SimpleNamespace:
        """Something with a fingerprint."""
        return SimpleNamespace(fingerprint="c" * 16)

    def load(self) -> "IdleReader":
        """Give itself."""
        return self

    def read(self, pixels: np.ndarray) -> Reading:
        """Give the same opinion on each image."""
        opinions = pd.DataFrame({"opinion": "Benign", "reason": "", "ood_score": 1.0}, index=range(len(pixels)))
        opinions = opinions.assign(prediction_set="Benign", probability_benign=1.0, probability_pro=0.0)
        measured = pd.DataFrame({"check_idle": np.zeros(len(pixels)), "distance_pro": np.zeros(len(pixels))})
        return Reading(opinions.assign(probability_malignant=0.0), np.zeros((len(pixels), 1)), measured)


class NamesOnly(ImageSource):
    """A source of so many names, with no file behind them."""

    count = 0

    def _list(self) -> Iterator[FoundFile]:
        new, facts = make_tuple(FoundFile), (123_456, 1_700_000_000_000_000_000, None)
        for slide in range(-(-self.count // 1000)):
            for field in range(slide * 1000, min(self.count, (slide + 1) * 1000)):
                yield new((f"slide-{slide:05}/field-{field:08}.jpg", *facts))

    def reading(self) -> AbstractContextManager[ReadFile]:
        """Read nothing."""
        raise NotImplementedError


class ListOnly:
    """Workers that get the parts of some work, and do no more with each than to list its files.

    Args:
        workers: Of a cluster.

    Attributes:
        files: How many they have listed.
    """

    def __init__(self, workers: Place) -> None:
        self._workers, self.files = workers, 0

    def __len__(self) -> int:
        return len(self._workers)

    def carry_out(self, work: object, parts: Iterable[Part]) -> Iterator[Outcome]:
        """Let workers list the files of each part."""
        for outcome in self._workers.carry_out(list_only, parts):
            self.files += outcome.result
            yield outcome._replace(result=None)


def list_only(task: Any) -> int:
    """Read the list of a part's files, and count them."""
    with pa.ipc.open_file(task.files.read_bytes()) as file:
        return len(file.get_batch(0))


@dataclass(frozen=True)
class PlainPlan(PackingPlan):
    """A plan by which files are read and none is decoded: each is an image of one colour, by its name."""

    def _decode_file(self, read: ReadFile, named: NamedFile) -> tuple[Record, np.ndarray | None]:
        data, digest = read(named.file.path), hashlib.sha256(named.image_id.encode()).hexdigest()
        record = {"image_id": named.image_id, "path": named.file.path, "label": named.label, "bytes": len(data)}
        record |= {
            "sha256": digest,
            "perceptual_hash": digest,
            "drawn": False,
            "mode": "RGB",
            "height": 32,
            "width": 32,
        }
        return record, np.full((self.image_size, self.image_size, 3), int(digest[:2], 16), np.uint8)
