"""What stands in for the costly in benchmarks of a cluster; its workers import it too."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from leukoscope.images.decoding import Limits
from leukoscope.images.files import FoundFile, ImageSource, ReadFile
from leukoscope.images.shared import read_list
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
        for number in range(self.count):
            yield FoundFile(f"slide-{number // 1000:05}/field-{number:08}.jpg", 123_456, 1_700_000_000_000_000_000)

    def reading(self) -> AbstractContextManager[ReadFile]:
        """Read nothing."""
        raise NotImplementedError


def do_nothing(files: Path) -> int:
    """Count files."""
    return len(read_list(files))
