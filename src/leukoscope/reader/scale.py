"""The scale at which the training images show their cells, and other images compared with them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self, TypeVar

import numpy as np
from PIL import Image

from leukoscope.cells.classical import measure_diameter
from leukoscope.images.packed import PackedImages
from leukoscope.reader.base import Reader

R = TypeVar("R", bound=Reader)

# Cells are searched in a picture of at most this side, which suffices to measure their size.
_SIDE = 640
_LEAST_SIDE = 16  # of a strip reduced to that: in a narrower one no cell can be found
_SAMPLE = 16
# An image with about the grain of the training images is a field: that takes a thirtieth of the time of finding cells.
# Real fields have 0.7 to 1.2 times the median (a twentieth less or more), mosaics of twelve at most 0.66. The fine
# grain of a crop may come from the inside of a nucleus; the coarse grain comes from its one cell.
_SAME_GRAIN = (0.74, 1.35)
_COARSE = 28
_FINE = 112
_GRAIN_SAMPLE = 64
# Weights of the purple channel, as in cell detection.
_RED = 0.35
_BLUE = 1.0


@dataclass(frozen=True)
class Scale:
    """The scale at which the training images show their cells.

    Attributes:
        cells_across: How many typical leukocytes fit side by side in a field.
        coarse_grain: Length over which purple varies, as a share of the side, in a field reduced to a few pixels.
        fine_grain: The same length in a field that is reduced less.
    """

    cells_across: float
    coarse_grain: float
    fine_grain: float

    @classmethod
    def learn(cls, pixels: np.ndarray, rows: np.ndarray) -> Self | None:
        """Learn the scale from an evenly spaced sample of fields.

        Args:
            pixels: Packed fields, ``uint8 [n, side, side, 3]``, RGB.
            rows: Rows of the fields to sample from, ``[fields]``.

        Returns:
            The scale; ``None`` if nothing in them is stained like nuclei.
        """
        known = [across for row in _spread_rows(rows, _SAMPLE) if (across := _count_across(pixels[row]))]
        chosen = _spread_rows(rows, _GRAIN_SAMPLE)
        grains = [[_measure_grain(pixels[row], side) for row in chosen] for side in (_COARSE, _FINE)]
        coarse, fine = (float(np.median([grain for grain in own if grain] or [0])) for own in grains)
        return cls(float(np.median(known)), coarse, fine) if known and coarse and fine else None

    @classmethod
    def restore(cls, kept: Mapping[str, float] | None) -> Self | None:
        """Restore a scale from the output of ``describe``.

        Raises:
            KeyError: A number is missing.
            ValueError: A number is not positive.
        """
        if kept is None:
            return None
        numbers = {field.name: kept[field.name] for field in fields(cls)}
        for name, number in numbers.items():
            if not isinstance(number, int | float) or not 0 < number < np.inf:
                raise ValueError(f"its {name} is {number!r}, not a positive number")
        return cls(**numbers)

    def describe(self) -> dict[str, float]:
        """Return its numbers."""
        return asdict(self)

    def compare(self, image: np.ndarray) -> float | None:
        """Compute how many times as many cells fit side by side in an image as in a training image.

        Args:
            image: The original image, ``uint8 [height, width, 3]``, RGB.

        Returns:
            The ratio along the shorter side, from the image's grain or, if the grain differs from the training images',
            from its cells; ``None`` if nothing is stained like nuclei.
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
    """Measure the length over which purple varies, as a share of the shorter side: small cells make it small."""
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
    """Set a reader's scale from its training images, unless it already has one.

    Args:
        reader: The reader; its images are identified by their content.
        smears: The packed images, if available.

    Returns:
        The reader, unchanged if the packed images are not its own, or no scale can be learned from them.
    """
    if reader.scale is not None or smears is None or smears.pixels.shape[1] != reader.image_size:
        return reader
    known = smears.records["sha256"].isin(reader.seen["sha256"]) & smears.records["row"].notna()
    rows = smears.records.loc[known, "row"].to_numpy(int)
    return reader.at_scale(Scale.learn(smears.pixels, rows)) if len(rows) else reader
