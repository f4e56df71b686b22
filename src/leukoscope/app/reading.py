"""Read a single image for reviewers: the prediction and its explanation."""

import hashlib
import logging
from collections.abc import Callable, Collection
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.app.options import AppOptions
from leukoscope.app.pictures import encode, encode_map, encode_picture
from leukoscope.app.read_image import Neighbour, ReadImage, ShownCell, make_photograph
from leukoscope.app.tiles import read_in_tiles
from leukoscope.core.drawn import is_drawn
from leukoscope.core.errors import InputError
from leukoscope.images.decoding import Limits, decode
from leukoscope.images.packed import PackedImages, find_by_content
from leukoscope.pipelines.explain.options import ExplanationOptions
from leukoscope.reader.photographs import Field, make_field

if TYPE_CHECKING:
    from leukoscope.inference.explanation import Mapper
    from leukoscope.reader.base import Reading
    from leukoscope.reader.second_reader import SecondReader

logger = logging.getLogger(__name__)

OCCLUSION = "occlusion"
_FULL_QUALITY = 95
_THUMBNAIL_SIDE = 128


class Desk:
    """A reader with everything needed to explain its predictions. Not thread-safe.

    Args:
        reader: The reader.
        options: Options of the page, such as the size of pictures.
        explanation: Options of occlusion, and the number of neighbours.
        seed: Seed of the noise that hides parts of a field.
        smears: The packed training images, if available.
        keep: Logs the monitored values of predictions, if requested.
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
        self.reader = reader
        self.options = options
        self._explanation = explanation
        self._seed = seed
        self._smears = smears
        self._keep = keep

    @property
    def limits(self) -> Limits:
        """The limits of a file: the reader's own, and the page's limit on its size."""
        bounds = self.reader.limits
        return bounds._replace(max_bytes=min(bounds.max_bytes, self.options.max_bytes))

    def read(self, data: bytes, file_name: str | None = None, together: str | None = None) -> ReadImage:
        """Read an image file.

        Args:
            data: The file's content.
            file_name: The file's name, if it is to be kept.
            together: A pseudonym shared by images that belong together.

        Raises:
            UnusableImageError: With the reason, whatever is wrong with the content.
        """
        decoded = decode(data, self.limits).pixels
        field = make_field(self.reader, decoded)
        pixels = field.pixels
        make = self._describe(data, file_name, decoded, field)
        if field.tiles:
            return make_photograph(make, read_in_tiles(self.reader, decoded, field.tiles))
        image, reading = self._read_field(make, pixels)
        if self._keep and image.seen_in is None:
            self._log(reading, together)
        if not image.maps:  # this kind of model has no map in closed form
            self.add_occlusion(image)
        return image

    def _describe(
        self, data: bytes, file_name: str | None, decoded: np.ndarray, field: Field
    ) -> Callable[..., ReadImage]:
        """Return a function that completes an image's description; this part does not depend on what is read."""
        sha256 = hashlib.sha256(data).hexdigest()
        return partial(
            ReadImage,
            sha256=sha256,
            file_name=file_name,
            seen_in=self._find_split(sha256),
            pixels=field.pixels,
            warning=field.warning,
            width=decoded.shape[1],
            height=decoded.shape[0],
            thumbnail=encode_picture(decoded, _THUMBNAIL_SIDE),
            picture=encode_picture(decoded, self.options.picture_side),
            full=self._encode_full(decoded),
            drawn=is_drawn(data),
        )

    def _read_field(self, make: Callable[..., ReadImage], pixels: np.ndarray) -> tuple[ReadImage, "Reading"]:
        from leukoscope.evaluation.predictions import MALIGNANT_COLUMN, probability_columns

        reading = self.reader.read(pixels[None])
        opinion = reading.opinions.iloc[0]
        names = self.reader.class_names
        chances = opinion[probability_columns(names)].to_numpy(float)
        likeliest = int(chances.argmax())
        image = make(
            opinion=str(opinion["opinion"]),
            reason=str(opinion["reason"]),
            likeliest=names[likeliest],
            probabilities=dict(zip(names, chances.tolist(), strict=True)),
            malignant=float(opinion[MALIGNANT_COLUMN]),
            ood_score=float(opinion["ood_score"]),
            maps=self._map_activation(pixels, likeliest),
            nearest=self._find_nearest(reading.features),
            cells=self._picture_cells(pixels, names[likeliest]),
        )
        return image, reading

    def _encode_full(self, pixels: np.ndarray) -> bytes | None:
        if max(pixels.shape) <= self.options.picture_side:
            return None
        content = encode(Image.fromarray(pixels), "JPEG", quality=_FULL_QUALITY, subsampling=0)
        return content if len(content) <= self.options.max_full_bytes else None

    def _log(self, reading: "Reading", together: str | None) -> None:
        """Log the monitored values of a prediction; what is shown does not depend on it."""
        from leukoscope.reader.opinion_log import tabulate_reading

        assert self._keep is not None
        try:
            self._keep(tabulate_reading(self.reader, reading, "page", together))
        except InputError as error:
            logger.error("An opinion was given and is not in the log for monitoring. %s", error)

    def _map_activation(self, pixels: np.ndarray, number: int) -> dict[str, bytes]:
        if self._mapper is None:
            return {}
        return {self._mapper.method: encode_map(self._mapper.map_classes(pixels[None], np.array([number]))[0])}

    def _picture_cells(self, pixels: np.ndarray, class_name: str) -> tuple[ShownCell, ...]:
        from leukoscope.inference.cell_evidence import CellMapper

        if not isinstance(self._mapper, CellMapper):
            return ()
        first = self._mapper.picture_cells(pixels, class_name, self._explanation.cells)
        pictures = [encode(Image.fromarray(cell.picture), "PNG") for cell in first]
        return tuple(ShownCell(*cell[:-1], picture) for cell, picture in zip(first, pictures, strict=True))

    def read_without(self, image: ReadImage, struck: Collection[int]) -> dict[str, float]:
        """Read an image again as if some of its cells were absent.

        Args:
            image: The image, as read before.
            struck: The numbers of the cells to leave out.

        Returns:
            Calibrated probabilities, by class.

        Raises:
            InputError: The classifier does not read cells one by one, or a cell of the image does not exist.
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
        """Map how much hiding each part of an image lowers its likeliest class; takes a few seconds."""
        from leukoscope.inference.explanation import map_occlusion

        if OCCLUSION not in image.maps:
            number = self.reader.class_names.index(image.likeliest)
            options = self._explanation
            heat = map_occlusion(self.reader.predictor, image.pixels, number, options.patch, options.stride, self._seed)
            image.maps[OCCLUSION] = encode_map(heat)

    def warm_up(self) -> None:
        """Read an empty field, so that the first image does not wait for the backend to start."""
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
        seen = self.reader.seen
        # The label used in training, which may differ from the class of its folder.
        label = str(seen.loc[seen["sha256"] == sha256, "label"].iloc[0])
        return Neighbour(image_id, label, float(distance), encode(Image.fromarray(packed[1]), "PNG"))
