"""An image that was read, with everything that the page shows of it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from leukoscope.app.tiles import TILES, TiledReading
from leukoscope.evaluation.trust import ABSTAINED
from leukoscope.reader.photographs import PHOTOGRAPH


class Neighbour(NamedTuple):
    """A training image that resembles an image.

    Attributes:
        image_id: Its id.
        label: Its class; ``None`` if unavailable.
        distance: Distance in standard deviations of the last layer's inputs.
        picture: A PNG file; ``None`` if unavailable.
    """

    image_id: str
    label: str | None
    distance: float
    picture: bytes | None


class ShownCell(NamedTuple):
    """A cell that a prediction rests on.

    Attributes:
        number: Number of the cell in its field.
        weight: Weight of the cell; the weights of all cells of a field sum to 1.
        speaks_for: Its contribution to the score of the likeliest class, minus the mean over all classes.
        picture: A PNG file.
    """

    number: int
    weight: float
    speaks_for: float
    picture: bytes


class ReadImage(NamedTuple):
    """An image that was read. Neither its file nor any metadata of the file is kept, only the pixels.

    Attributes:
        sha256: SHA-256 of the file's content.
        file_name: Name of the file; ``None`` unless requested.
        seen_in: ``train`` or ``validation`` if the classifier saw this very file in training, else ``None``.
        opinion: A class, or ``abstained``.
        reason: Why the reader abstained, else empty.
        likeliest: The class with the highest probability, whether or not the reader abstained.
        probabilities: Calibrated probabilities, by class.
        malignant: The probability of any class but the benign one.
        ood_score: Out-of-distribution score: how unlike the training images it is.
        pixels: The reader's input, ``uint8 [size, size, 3]``.
        width: Original width of the field in pixels.
        height: Original height of the field in pixels.
        thumbnail: A JPEG file for lists.
        picture: A JPEG file for display.
        full: A JPEG file at the original size; ``None`` if ``picture`` has that size, or if it is not to be kept.
        maps: Evidence for the likeliest class, by method: PNG files whose opacity is the strength; added on request.
        nearest: Training images, the nearest first.
        drawn: Whether the file bears the mark of a drawn smear.
        cells: The cells with the most evidence for the likeliest class, for a classifier that reads cells one by one.
        tiled: Results of its tiles, if it is a photograph of many fields; there is then no prediction for the whole,
            and probabilities are means.
        warning: A warning about its scale, if it is not a field like the training images.
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
        make: Makes a read image from its predictions.
        tiled: The results of its tiles.
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
