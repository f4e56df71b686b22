"""An image that was read: all that the page shows of it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from leukoscope.app.tiles import TILES, TiledReading
from leukoscope.evaluation.trust import ABSTAINED
from leukoscope.reader.photographs import PHOTOGRAPH


class Neighbour(NamedTuple):
    """A training image that an image resembles.

    Attributes:
        image_id: Its id.
        label: Its class; ``None`` where it is not at hand.
        distance: In standard deviations of what the last layer sees.
        picture: A PNG file; ``None`` where it is not at hand.
    """

    image_id: str
    label: str | None
    distance: float
    picture: bytes | None


class ShownCell(NamedTuple):
    """A cell that an opinion rests on.

    Attributes:
        number: Of the cell in its field.
        weight: Of all its field's cells together, which have 1.
        speaks_for: What it adds to the score of the likeliest class, less the mean over all classes.
        picture: A PNG file.
    """

    number: int
    weight: float
    speaks_for: float
    picture: bytes


class ReadImage(NamedTuple):
    """An image that was read. Its file is not kept, and neither is anything that the file says beside its pixels.

    Attributes:
        sha256: Of the file's content.
        file_name: ``None`` unless it was asked for.
        seen_in: ``train`` or ``validation`` if the classifier knows this very file, else ``None``.
        opinion: A class, or ``abstained``.
        reason: Why the reader abstained, else empty.
        likeliest: The class with the highest probability, opinion or not.
        probabilities: Calibrated, by class.
        malignant: The probability of any class but the benign one.
        ood_score: How unlike the training images it is.
        pixels: As the reader sees it, ``uint8 [size, size, 3]``.
        width: Of the field as it was given, in pixels.
        height: The same.
        thumbnail: A JPEG file for lists.
        picture: A JPEG file to look at.
        full: A JPEG file as large as the field was given; ``None`` where ``picture`` is, or it is not to be kept.
        maps: What speaks for the likeliest class, by method: PNG files whose opacity is the strength; grows on request.
        nearest: Training images, the nearest first.
        drawn: Whether the file bears the mark of a drawn smear.
        cells: Those that speak most for the likeliest class, for a classifier that reads cells one by one.
        tiled: What became of its tiles, if it is a photograph of many fields; then there is no opinion on the whole,
            and probabilities are means.
        warning: What its scale says of it, if it is no field as the training images are.
    """

    sha256: str
    file_name: str | None
    seen_in: str | None
    opinion: str
    reason: str
    likeliest: str
    probabilities: dict[str, float]
    malignant: float
    ood_score: float
    pixels: np.ndarray
    width: int
    height: int
    thumbnail: bytes
    picture: bytes
    full: bytes | None
    maps: dict[str, bytes]
    nearest: list[Neighbour]
    drawn: bool = False
    cells: tuple[ShownCell, ...] = ()
    tiled: TiledReading | None = None
    warning: str | None = None


def make_photograph(make: Callable[..., ReadImage], tiled: TiledReading) -> ReadImage:
    """Describe a photograph by its tiles.

    Args:
        make: Takes what was read of an image.
        tiled: What became of its tiles.
    """
    return make(
        opinion=ABSTAINED,
        reason=PHOTOGRAPH,
        likeliest=max(tiled.probabilities, key=lambda name: tiled.probabilities[name]),
        probabilities=tiled.probabilities,
        malignant=tiled.malignant,
        ood_score=tiled.ood_score,
        maps={TILES: tiled.map},
        nearest=[],
        tiled=tiled,
    )
