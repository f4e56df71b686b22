"""At what scale the training images show their cells, and other images beside them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self, TypeVar

import numpy as np
from PIL import Image

from leukoscope.cells.classical import measure_diameter
from leukoscope.images.packed import PackedImages
from leukoscope.reader.base import Reader

R = TypeVar("R", bound=Reader)

# Cells are looked for in a picture of at most this side: no more is needed to tell their size.
_SIDE = 640
_LEAST_SIDE = 16  # of a strip that was reduced to that: in less no cell can be told
_SAMPLE = 16
# What has about the grain of the training images is a field: that is told thirty times sooner than by its cells.
# Real fields have 0.7 to 1.2 times the median (a twentieth less or more), mosaics of twelve 0.66 at the most. The fine
# grain of a crop may be that of what is inside of a nucleus; the coarse one is of its one cell.
_SAME_GRAIN = (0.74, 1.35)
_COARSE = 28
_FINE = 112
_GRAIN_SAMPLE = 64
# How purple a pixel is: as cells are found by.
_RED = 0.35
_BLUE = 1.0


@dataclass(frozen=True)
class Scale:
    """At what scale the training images show their cells.

    Attributes:
        cells_across: How many typical leukocytes would lie side by side in a field.
        coarse_grain: Over which distance purple differs in one that is reduced to a few pixels, as a share of its side.
        fine_grain: The same of one that is reduced less.
    """

    cells_across: float
    coarse_grain: float
    fine_grain: float

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
        chosen = _spread_rows(rows, _GRAIN_SAMPLE)
        grains = [[_measure_grain(pixels[row], side) for row in chosen] for side in (_COARSE, _FINE)]
        coarse, fine = (float(np.median([grain for grain in own if grain] or [0])) for own in grains)
        return cls(float(np.median(known)), coarse, fine) if known and coarse and fine else None

    @classmethod
    def restore(cls, kept: Mapping[str, float] | None) -> Self | None:
        """Restore it from what ``describe`` gave.

        Raises:
            KeyError: It lacks a number.
            ValueError: One is not positive.
        """
        if kept is None:
            return None
        numbers = {field.name: kept[field.name] for field in fields(cls)}
        for name, number in numbers.items():
            if not isinstance(number, int | float) or not 0 < number < np.inf:
                raise ValueError(f"its {name} is {number!r}, not a positive number")
        return cls(**numbers)

    def describe(self) -> dict[str, float]:
        """Give its numbers."""
        return asdict(self)

    def compare(self, image: np.ndarray) -> float | None:
        """Give how many times as many cells fit side by side into an image as into a training image.

        Args:
            image: As it was given, ``uint8 [height, width, 3]``, RGB.

        Returns:
            Along the shorter side, by how fine it is; where that is not about as in a training image, by its cells:
            ``None`` where nothing is stained as nuclei are.
        """
        coarse = _measure_grain(image, _COARSE)
        fine = _measure_grain(image, _FINE)
        if _is_same(coarse, self.coarse_grain) and fine is not None and _is_same(fine, self.fine_grain):
            return self.fine_grain / fine
        across = _count_across(image)
        return None if across is None else across / self.cells_across


def _is_same(grain: float | None, usual: float) -> bool:
    return grain is not None and _SAME_GRAIN[0] <= grain / usual <= _SAME_GRAIN[1]


def _spread_rows(rows: np.ndarray, most: int) -> np.ndarray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]


def _measure_grain(image: np.ndarray, reduced: int) -> float | None:
    """Measure over which distance purple differs, as a share of the shorter side: small cells make it small."""
    picture = Image.fromarray(image)
    times = reduced / min(picture.size)
    small = picture.resize([max(1, round(side * times)) for side in picture.size], Image.Resampling.BOX)
    red, green, blue = np.moveaxis(-np.log(np.maximum(np.asarray(small, np.float32), 2)), -1, 0)
    purple = green - _RED * red - _BLUE * blue
    slope = sum(float((np.diff(purple, axis=axis) ** 2).mean()) for axis in (0, 1))
    return None if slope <= 0 else float(np.sqrt(purple.var() / slope)) / reduced


def _count_across(image: np.ndarray) -> float | None:
    picture = Image.fromarray(image)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    if min(picture.size) < _LEAST_SIDE:
        return None
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
