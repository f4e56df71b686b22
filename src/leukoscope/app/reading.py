"""Reading one image for people: the opinion, and why."""

import hashlib
import io
import logging
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.app.options import AppOptions
from leukoscope.core.drawn import is_drawn
from leukoscope.core.errors import InputError
from leukoscope.images.decoding import Limits, decode, resize
from leukoscope.images.packed import PackedImages, find_by_content
from leukoscope.pipelines.explain.options import ExplanationOptions

if TYPE_CHECKING:
    from leukoscope.inference.explanation import Mapper
    from leukoscope.reader.base import Reading
    from leukoscope.reader.second_reader import SecondReader

logger = logging.getLogger(__name__)

OCCLUSION = "occlusion"
_QUALITY = 92


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
        picture: A JPEG file to look at.
        maps: What speaks for the likeliest class, by method: PNG files whose opacity is the strength; grows on request.
        nearest: Training images, the nearest first.
        drawn: Whether the file bears the mark of a drawn smear.
        cells: Those that speak most for the likeliest class, for a classifier that reads cells one by one.
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
    picture: bytes
    maps: dict[str, bytes]
    nearest: list[Neighbour]
    drawn: bool = False
    cells: tuple[ShownCell, ...] = ()


class Desk:
    """A reader, and what it takes to show why it says what it says. Not for several threads at a time.

    Args:
        reader: Who reads.
        options: How large pictures are.
        explanation: How occlusion goes, and how many neighbours there are.
        seed: For the noise of what hides parts of a field.
        smears: The packed training images, if they are at hand.
        keep: Logs what is watched of opinions, where that was asked for.
    """

    def __init__(
        self,
        reader: "SecondReader",
        options: AppOptions,
        explanation: ExplanationOptions,
        seed: int,
        smears: PackedImages | None = None,
        keep: Callable[[pd.DataFrame], None] | None = None,
    ) -> None:
        self.reader, self.options, self._explanation, self._seed = reader, options, explanation, seed
        self._smears, self._keep = smears, keep

    @property
    def limits(self) -> Limits:
        """What a file must keep to: the reader's own limits, and the page's for its size."""
        bounds = self.reader.limits
        return bounds._replace(max_bytes=min(bounds.max_bytes, self.options.max_bytes))

    def read(self, data: bytes, file_name: str | None = None, together: str | None = None) -> ReadImage:
        """Read an image file.

        Args:
            data: The file's content.
            file_name: If it is to be kept.
            together: What it has in common with others, under a name that says nothing.

        Raises:
            UnusableImageError: With the reason, whatever is wrong with the content.
        """
        from leukoscope.evaluation.predictions import probability_columns
        from leukoscope.reader.second_reader import MALIGNANT_COLUMN

        decoded = decode(data, self.limits).pixels
        pixels = resize(decoded, self.reader.image_size)
        reading = self.reader.read(pixels[None])
        opinion = reading.opinions.iloc[0]
        names = self.reader.class_names
        chances = opinion[probability_columns(names)].to_numpy(float)
        likeliest = int(chances.argmax())
        sha256 = hashlib.sha256(data).hexdigest()
        image = ReadImage(
            sha256=sha256,
            file_name=file_name,
            seen_in=self._find_split(sha256),
            opinion=str(opinion["opinion"]),
            reason=str(opinion["reason"]),
            likeliest=names[likeliest],
            probabilities=dict(zip(names, chances.tolist(), strict=True)),
            malignant=float(opinion[MALIGNANT_COLUMN]),
            ood_score=float(opinion["ood_score"]),
            pixels=pixels,
            picture=_encode_picture(decoded, self.options.picture_side),
            maps=self._map_activation(pixels, likeliest),
            nearest=self._find_nearest(reading.features),
            drawn=is_drawn(data),
            cells=self._picture_cells(pixels, names[likeliest]),
        )
        if self._keep and image.seen_in is None:
            self._log(reading, together)
        if not image.maps:  # a kind that has none in closed form
            self.add_occlusion(image)
        return image

    def _log(self, reading: "Reading", together: str | None) -> None:
        """Log what is watched of an opinion; what is shown does not depend on it."""
        from leukoscope.reader.opinion_log import tabulate_reading

        assert self._keep is not None
        try:
            self._keep(tabulate_reading(self.reader, reading, "page", together))
        except InputError as error:
            logger.error("An opinion was given and is not in the log for monitoring. %s", error)

    def _map_activation(self, pixels: np.ndarray, number: int) -> dict[str, bytes]:
        if self._mapper is None:
            return {}
        return {self._mapper.method: _encode_map(self._mapper.map_classes(pixels[None], np.array([number]))[0])}

    def _picture_cells(self, pixels: np.ndarray, class_name: str) -> tuple[ShownCell, ...]:
        from leukoscope.inference.cell_evidence import CellMapper

        if not isinstance(self._mapper, CellMapper):
            return ()
        first = self._mapper.picture_cells(pixels, class_name, self._explanation.cells)
        pictures = [encode(Image.fromarray(cell.picture), "PNG") for cell in first]
        return tuple(ShownCell(*cell[:-1], picture) for cell, picture in zip(first, pictures, strict=True))

    def read_without(self, image: ReadImage, struck: Collection[int]) -> dict[str, float]:
        """Read an image anew as if some of its cells were not there.

        Args:
            image: That was read.
            struck: The numbers of the cells.

        Returns:
            Calibrated probabilities, by class.

        Raises:
            InputError: The classifier does not read cells one by one, or the image has no cell of a number.
        """
        from leukoscope.evaluation.calibration import apply_temperature
        from leukoscope.models.cell_classifier import CellClassifier

        classifier = self.reader.classifier
        if not isinstance(classifier, CellClassifier):
            raise InputError(f"{self.reader.title} does not read cells one by one, so that none can be struck.")
        seen = classifier.predict_without(image.pixels, struck)
        chances = apply_temperature(seen.probabilities, self.reader.calibration.temperature)[0]
        return dict(zip(self.reader.class_names, chances.tolist(), strict=True))

    def add_occlusion(self, image: ReadImage) -> None:
        """Map what hiding each part of an image costs its likeliest class; takes some seconds."""
        from leukoscope.inference.explanation import map_occlusion

        if OCCLUSION not in image.maps:
            number = self.reader.class_names.index(image.likeliest)
            options = self._explanation
            heat = map_occlusion(self.reader.predictor, image.pixels, number, options.patch, options.stride, self._seed)
            image.maps[OCCLUSION] = _encode_map(heat)

    def warm_up(self) -> None:
        """Read an empty field, so that the first image does not wait for the backend to get ready."""
        field = self.reader.warm_up()
        if self._mapper is not None:
            self._mapper.map_classes(field, np.array([0]))

    @cached_property
    def _mapper(self) -> "Mapper | None":
        from leukoscope.inference.explanation import make_mapper

        return make_mapper(self.reader.classifier)

    def _find_split(self, sha256: str) -> str | None:
        seen = self.reader.seen
        split = seen.loc[seen["sha256"] == sha256, "split"]
        return None if split.empty else str(split.iloc[0])

    def _find_nearest(self, features: np.ndarray) -> list[Neighbour]:
        nearest = self.reader.find_nearest(features, self._explanation.neighbours)[0]
        return [self._show(row.image_id, row.sha256, row.distance) for row in nearest.itertuples()]

    def _show(self, image_id: str, sha256: str, distance: float) -> Neighbour:
        packed = None if self._smears is None else find_by_content(self._smears, sha256)
        if packed is None:
            return Neighbour(image_id, None, float(distance), None)
        record, pixels = packed
        return Neighbour(image_id, str(record["label"]), float(distance), encode(Image.fromarray(pixels), "PNG"))


def _encode_picture(pixels: np.ndarray, side: int) -> bytes:
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return encode(picture, "JPEG", quality=_QUALITY)


def _encode_map(heat: np.ndarray) -> bytes:
    """Colour a map so that laid over its image it looks like ``overlay``, whatever the opacity is then made."""
    from leukoscope.inference.explanation import colour

    layers = np.concatenate([colour(heat), 255 * heat[..., None]], axis=2)
    return encode(Image.fromarray(np.rint(layers).astype(np.uint8), "RGBA"), "PNG")


def encode(picture: Image.Image, kind: str, **options: int) -> bytes:
    """Write a picture as the content of a file of some kind, such as ``PNG``."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()
