"""At what scale the training images show their cells, and other images beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from PIL import Image

from leukoscope.cells.classical import measure_diameter
from leukoscope.images.packed import PackedImages
from leukoscope.reader.base import Reader

R = TypeVar("R", bound=Reader)

# Cells are looked for in a picture of at most this side: no more is needed to tell their size.
_SIDE = 640
_SAMPLE = 16
# What has about the grain of the training images is a field: that is told thirty times sooner than by its cells.
# Real fields have 0.75 to 1.24 times the median (a twentieth less or more), mosaics of twelve 0.66 at the most.
_SAME_GRAIN = (0.74, 1.35)
_GRAIN_SIDE, _GRAIN_SAMPLE = 112, 64
_RED, _BLUE = 0.35, 1.0  # how purple a pixel is: as cells are found by


@dataclass(frozen=True)
class Scale:
    """At what scale the training images show their cells.

    Attributes:
        cells_across: How many typical leukocytes would lie side by side in a field.
        grain: How far apart purple differs in one, as a share of its side.
    """

    cells_across: float
    grain: float

    @classmethod
    def learn(cls, pixels: np.ndarray, rows: np.ndarray) -> Self | None:
        """Learn it from fields taken evenly.

        Args:
            pixels: Packed fields, ``uint8 [n, side, side, 3]``, RGB.
            rows: Which of them, ``[fields]``.

        Returns:
            ``None`` where nothing in them is stained as nuclei are.
        """
        known = [across for row in _spread_rows(rows, _SAMPLE) if (across := _count_across(pixels[row]))]
        grains = [grain for row in _spread_rows(rows, _GRAIN_SAMPLE) if (grain := _measure_grain(pixels[row]))]
        return cls(float(np.median(known)), float(np.median(grains))) if known and grains else None

    @classmethod
    def restore(cls, kept: Mapping[str, float] | None) -> Self | None:
        """Restore it from what ``describe`` gave.

        Raises:
            KeyError: It lacks a number.
            ValueError: One is not positive.
        """
        if kept is None:
            return None
        for name in (numbers := {name: kept[name] for name in ("cells_across", "grain")}):
            if not isinstance(kept[name], int | float) or not 0 < kept[name] < np.inf:
                raise ValueError(f"its {name} is {kept[name]!r}, not a positive number")
        return cls(**numbers)

    def describe(self) -> dict[str, float]:
        """Give its numbers."""
        return {"cells_across": self.cells_across, "grain": self.grain}

    def compare(self, image: np.ndarray) -> float | None:
        """Give how many times as many cells fit side by side into an image as into a training image.

        Args:
            image: As it was given, ``uint8 [height, width, 3]``, RGB.

        Returns:
            Along the shorter side, by how fine it is; where that is not about as in a training image, by its cells:
            ``None`` where nothing is stained as nuclei are.
        """
        grain = _measure_grain(image)
        if grain is not None and _SAME_GRAIN[0] <= grain / self.grain <= _SAME_GRAIN[1]:
            return self.grain / grain
        across = _count_across(image)
        return None if across is None else across / self.cells_across


def _spread_rows(rows: np.ndarray, most: int) -> np.ndarray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]


def _measure_grain(image: np.ndarray) -> float | None:
    """Measure over which distance purple differs, as a share of the shorter side: small cells make it small."""
    picture = Image.fromarray(image)
    times = _GRAIN_SIDE / min(picture.size)
    small = picture.resize([max(1, round(side * times)) for side in picture.size], Image.Resampling.BOX)
    red, green, blue = np.moveaxis(-np.log(np.maximum(np.asarray(small, np.float32), 2)), -1, 0)
    purple = green - _RED * red - _BLUE * blue
    slope = sum(float((np.diff(purple, axis=axis) ** 2).mean()) for axis in (0, 1))
    return None if slope <= 0 else float(np.sqrt(purple.var() / slope)) / _GRAIN_SIDE


def _count_across(image: np.ndarray) -> float | None:
    picture = Image.fromarray(image)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    diameter = measure_diameter(np.asarray(picture))
    return None if diameter is None else min(picture.size) / diameter


def know_scale(reader: R, smears: PackedImages | None) -> R:
    """Let a reader know at what scale its training images show their cells, if it does not already.

    Args:
        reader: Its images are known by their content.
        smears: The packed images, if they are at hand.

    Returns:
        The same reader where the packed images are none of its own, or nothing is to be known of them.
    """
    if reader.scale is not None or smears is None or smears.pixels.shape[1] != reader.image_size:
        return reader
    known = smears.records["sha256"].isin(reader.seen["sha256"]) & smears.records["row"].notna()
    rows = smears.records.loc[known, "row"].to_numpy(int)
    return reader.at_scale(Scale.learn(smears.pixels, rows)) if len(rows) else reader
