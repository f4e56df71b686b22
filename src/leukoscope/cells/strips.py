"""The cells of a field as one image: their crops at one scale, stacked vertically into a strip."""

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
        detector: Name of the detector, as in ``load_detector``.
        diameter: Diameter of a typical leukocyte, in pixels of the fields.
        side: Side of the crops, in pixels of the fields.
        background: What surrounds a cell in its crop: ``neutral`` or ``kept``.
        format: Format of the classical detector's results, ``classical.FORMAT``.
    """

    detector: str
    diameter: float
    side: int
    background: str
    format: int = classical.FORMAT

    def describe(self) -> dict[str, Any]:
        """Return the facts, as ``restore`` takes them."""
        return asdict(self)

    @classmethod
    def restore(cls, facts: Mapping[str, Any]) -> Self:
        """Restore an instance from its facts.

        Raises:
            KeyError: A fact is missing.
            ValueError: A fact is invalid.
        """
        cutting = cls(
            str(facts["detector"]), float(facts["diameter"]), int(facts["side"]), facts["background"], facts["format"]
        )
        if cutting.side < 1 or not cutting.diameter > 0 or cutting.background not in ("neutral", "kept"):
            raise ValueError(f"cells cannot be cut out by {cutting.describe()}")
        return cutting

    def require_known(self, path: Path) -> None:
        """Check that the cells of a saved model can be found here as in its training.

        Raises:
            InputError: Its detector is not the one in the configuration, or is another version's.
        """
        require_trusted(self.detector, f"The model in {path}")
        if self.detector == CLASSICAL and self.format != classical.FORMAT:
            raise InputError(
                f"The model in {path} was trained on cells that another version of Leukoscope found, and this one "
                f"finds others. Train it again, or use that version."
            )

    def stack(self, field: np.ndarray, cells: Sequence[Mapping[str, Any]], slots: int) -> np.ndarray:
        """Cut out the cells of a field, and stack them: ``uint8 [slots * side, side, 3]``; free slots are grey.

        Args:
            field: ``uint8 [height, width, 3]``, RGB.
            cells: ``row``, ``column`` and ``mask`` of each.
            slots: Number of slots, at least as many as cells.
        """
        strip = np.full((slots, self.side, self.side, 3), NEUTRAL, np.uint8)
        for slot, cell in enumerate(cells):
            strip[slot] = cut_out(field, cell, self.side, self.background == "neutral")
        return strip.reshape(slots * self.side, self.side, 3)


@dataclass(frozen=True)
class CellStrips:
    """The strips of some fields, cut out lazily.

    If a field has more cells than a strip has slots, some are drawn by the seed and the field alone, so that a field
    gives the same strip whatever other fields there are.

    Attributes:
        pixels: The fields, ``uint8 [n, height, width, 3]``, RGB, which may be on disk.
        rows: The row of each selected field, ``[fields]``.
        records: ``image_id`` and ``sha256`` of each selected field, and possibly other columns.
        cells: ``image_id``, ``row``, ``column`` and ``mask`` of all cells.
        cutting: How the cells were found, and are cut out.
        bag: Maximum slots per strip: no strip has more than the field with the most cells needs.
        seed: Seed of the draws.
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
        """The shape of the array."""
        return len(self.rows), self.slots * self.cutting.side, self.cutting.side, 3

    @property
    def slots(self) -> int:
        """Number of slots of each strip."""
        of_these = self.cells.loc[self.cells["image_id"].isin(self.records["image_id"]), "image_id"]
        return min(self.bag, int(of_these.value_counts().max()) if len(of_these) else 1)

    def describe(self) -> dict[str, Any]:
        """Describe how the strips are made."""
        return self.cutting.describe() | {"bag": self.bag, "field": int(self.pixels.shape[1])}

    def strips(self) -> Iterator[np.ndarray]:
        """Yield one strip after the other, ``uint8 [slots * side, side, 3]``."""
        slots = self.slots
        by_field = dict(list(self.cells.groupby("image_id", sort=False)))
        none = self.cells.iloc[:0]
        for row, name, sha256 in zip(self.rows, self.records["image_id"], self.records["sha256"], strict=True):
            cells = list_places(by_field.get(name, none))
            chosen = choose_cells(len(cells), slots, self.seed, sha256)
            yield self.cutting.stack(self.pixels[row], [cells[number] for number in chosen], slots)


def choose_cells(cells: int, bag: int, seed: int, field: str) -> np.ndarray:
    """Choose which cells of a field go into its strip, in order: all, or as many as it has slots.

    Args:
        cells: Number of cells.
        bag: Slots of the strip.
        seed: Seed of the draws.
        field: A string that identifies the field.
    """
    if cells <= bag:
        return np.arange(cells)
    own_seed = int.from_bytes(hashlib.sha256(field.encode()).digest()[:8])
    return np.sort(np.random.default_rng([seed, own_seed]).choice(cells, bag, replace=False))
