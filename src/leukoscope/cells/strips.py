"""The cells of a field as one image: their crops at one scale, stacked downwards into a strip."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from leukoscope.cells import classical
from leukoscope.cells.crops import NEUTRAL, cut_out, list_places
from leukoscope.cells.detector import CLASSICAL, require_trusted
from leukoscope.core.errors import InputError


@dataclass(frozen=True)
class Cutting:
    """How the cells of a field are found and cut out.

    Attributes:
        detector: What finds them, as of ``load_detector``.
        diameter: Of a typical leukocyte, in pixels of the fields.
        side: Of the crops, in pixels of the fields.
        background: What is around a cell in its crop: ``neutral`` or ``kept``.
        format: Of what is found by the classical way, ``classical.FORMAT``.
    """

    detector: str
    diameter: float
    side: int
    background: str
    format: int = classical.FORMAT

    def describe(self) -> dict[str, Any]:
        """Give the facts, as ``restore`` takes them."""
        return asdict(self)

    @classmethod
    def restore(cls, facts: Mapping[str, Any]) -> Self:
        """Read the facts.

        Raises:
            KeyError: One is missing.
            ValueError: One cannot be.
        """
        cutting = cls(
            str(facts["detector"]), float(facts["diameter"]), int(facts["side"]), facts["background"], facts["format"]
        )
        if cutting.side < 1 or not cutting.diameter > 0 or cutting.background not in ("neutral", "kept"):
            raise ValueError(f"cells cannot be cut out by {cutting.describe()}")
        return cutting

    def require_known(self, path: Path) -> None:
        """Make sure that the cells of a model that lies somewhere can be found here as they were in its training.

        Raises:
            InputError: Its detector is not the one of the configuration, or another version's.
        """
        require_trusted(self.detector, f"The model in {path}")
        if self.detector == CLASSICAL and self.format != classical.FORMAT:
            raise InputError(
                f"The model in {path} was trained on cells that another version of Leukoscope found, and this one "
                f"finds others. Train it again, or use that version."
            )

    def stack(self, field: np.ndarray, cells: Sequence[Mapping[str, Any]], slots: int) -> np.ndarray:
        """Cut the cells of a field out, and stack them: ``uint8 [slots * side, side, 3]``; free slots are grey.

        Args:
            field: ``uint8 [height, width, 3]``, RGB.
            cells: ``row``, ``column`` and ``mask`` of each.
            slots: As many as there are cells, or more.
        """
        strip = np.full((slots, self.side, self.side, 3), NEUTRAL, np.uint8)
        for slot, cell in enumerate(cells):
            strip[slot] = cut_out(field, cell, self.side, self.background == "neutral")
        return strip.reshape(slots * self.side, self.side, 3)


@dataclass(frozen=True)
class CellStrips:
    """The strips of some fields, of which none has been cut out yet.

    Where a field has more cells than a strip has slots, some are drawn by the seed and the field alone, so that a field
    gives the same strip whatever else there is.

    Attributes:
        pixels: The fields, ``uint8 [n, height, width, 3]``, RGB, which may be on disk.
        rows: The row of each field that is wanted, ``[fields]``.
        records: ``image_id`` and ``sha256`` of each of them, and what else is known.
        cells: ``image_id``, ``row``, ``column`` and ``mask`` of all cells.
        cutting: How they were found, and are cut out.
        bag: Slots of a strip at most: no strip has more than the field with the most cells needs.
        seed: For drawing.
    """

    pixels: np.ndarray
    rows: np.ndarray
    records: pd.DataFrame
    cells: pd.DataFrame
    cutting: Cutting
    bag: int
    seed: int

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array."""
        return len(self.rows), self.slots * self.cutting.side, self.cutting.side, 3

    @property
    def slots(self) -> int:
        """Of each strip."""
        of_these = self.cells.loc[self.cells["image_id"].isin(self.records["image_id"]), "image_id"]
        return min(self.bag, int(of_these.value_counts().max()) if len(of_these) else 1)

    def describe(self) -> dict[str, Any]:
        """Say how the strips come about."""
        return self.cutting.describe() | {"bag": self.bag, "field": int(self.pixels.shape[1])}

    def strips(self) -> Iterator[np.ndarray]:
        """Make one strip after the other, ``uint8 [slots * side, side, 3]``."""
        slots = self.slots
        by_field = dict(list(self.cells.groupby("image_id", sort=False)))
        none = self.cells.iloc[:0]
        for row, name, sha256 in zip(self.rows, self.records["image_id"], self.records["sha256"], strict=True):
            cells = list_places(by_field.get(name, none))
            chosen = choose_cells(len(cells), slots, self.seed, sha256)
            yield self.cutting.stack(self.pixels[row], [cells[number] for number in chosen], slots)


def choose_cells(cells: int, bag: int, seed: int, field: str) -> np.ndarray:
    """Choose which cells of a field stand in its strip, in order: all, or as many as it has slots.

    Args:
        cells: How many there are.
        bag: Slots of the strip.
        seed: For drawing.
        field: What tells the field from others.
    """
    if cells <= bag:
        return np.arange(cells)
    own_seed = int.from_bytes(hashlib.sha256(field.encode()).digest()[:8])
    return np.sort(np.random.default_rng([seed, own_seed]).choice(cells, bag, replace=False))
