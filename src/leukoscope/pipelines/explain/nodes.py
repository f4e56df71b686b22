"""Explain a classifier's predictions."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np

from leukoscope.core.errors import InputError
from leukoscope.figures import Figure
from leukoscope.images.packed import PackedImages, find_by_content
from leukoscope.images.packing_plan import PackingPlan, Record
from leukoscope.images.source import ImageSource
from leukoscope.pipelines.explain.options import ExplanationOptions
from leukoscope.reader.base import Reader

logger = logging.getLogger(__name__)


def explain_images(
    images: ImageSource, reader: Reader, smears: PackedImages, options: ExplanationOptions, seed: int
) -> dict[str, Callable[[], Figure]]:
    """Draw where the reader looked in the first images, and which training images they resemble.

    Args:
        images: Where the images are.
        reader: The reader to explain.
        smears: The packed training images.
        options: How many images to explain, and how.
        seed: Random seed for the noise that hides parts of a field.

    Returns:
        Functions that draw the figures, by image id, so that only one figure is in memory at a time.

    Raises:
        InputError: None of the images can be read.
    """
    from leukoscope.reader.photographs import log_scales

    plan = PackingPlan(images, None, reader.image_size, reader.limits, scale=reader.scale)
    chosen = list(islice(_decode(plan), options.images))
    if not chosen:
        raise InputError(f"No file at {images.root} can be read, of {len(plan.files)}. Run `predict` to see why.")
    if len(plan.files) > len(chosen):
        logger.info(
            "Explaining the first %d of %d files: explanation.images sets how many", len(chosen), len(plan.files)
        )
    log_scales(Counter(_warn(record, reader) for record, _ in chosen), are_tiled=False)
    explained = _Explainer(reader, smears, options, seed)
    return {str(record["image_id"]): partial(explained.draw, record, pixels) for record, pixels in chosen}


def _decode(plan: PackingPlan) -> Iterator[tuple[Record, np.ndarray]]:
    for batch in plan.pack():
        there = [record for record in batch.records if "reason" not in record]
        yield from zip(there, batch.pixels.copy(), strict=True)


def _warn(record: Record, reader: Reader) -> str | None:
    """Return a warning about the scale of an image, if there is one."""
    from leukoscope.reader.photographs import warn_of_scale

    ratio, height, width = (record.get(name) for name in ("scale", "height", "width"))
    if not isinstance(ratio, float):
        return None
    return warn_of_scale(ratio, int(height or 0), int(width or 0), reader.image_size)


class _Explainer:
    def __init__(self, reader: Reader, smears: PackedImages, options: ExplanationOptions, seed: int) -> None:
        from leukoscope.inference.explanation import make_mapper

        self.reader = reader
        self.smears = smears
        self.options = options
        self.seed = seed
        self.mapper = make_mapper(reader.classifier)

    def draw(self, record: Record, pixels: np.ndarray) -> Figure:
        from leukoscope.evaluation.predictions import probability_columns
        from leukoscope.figures.explanation import draw_explanation
        from leukoscope.inference.explanation import map_occlusion, overlay
        from leukoscope.reader.photographs import is_photograph, withhold

        names = self.reader.class_names
        opinions, features, _ = self.reader.read(pixels[None])
        warning = _warn(record, self.reader)
        opinion = withhold(opinions, np.array([is_photograph(warning)])).iloc[0]
        chances = opinion[probability_columns(names)].to_numpy(float)
        likeliest = int(chances.argmax())
        options = self.options
        hidden = map_occlusion(self.reader.predictor, pixels, likeliest, options.patch, options.stride, self.seed)
        words = opinion["opinion"] + (f": {opinion['reason']}" if opinion["reason"] else "")
        words += f"\n({warning})" if warning else ""
        return draw_explanation(
            [
                ("field", pixels),
                *self._map_activation(pixels, likeliest),
                (f"occlusion for {names[likeliest]}", overlay(pixels, hidden)),
            ],
            self._picture_nearest(features),
            dict(zip(names, chances, strict=True)),
            f"{record['path']}: {words}",
            self.reader.warning,
            self._picture_cells(pixels, likeliest),
        )

    def _map_activation(self, pixels: np.ndarray, number: int) -> list[tuple[str, np.ndarray]]:
        """Map the evidence for a class, if the classifier's kind supports it."""
        from leukoscope.inference.explanation import overlay

        if self.mapper is None:
            return []
        heat = self.mapper.map_classes(pixels[None], np.array([number]))[0]
        return [(self.mapper.describe(self.reader.class_names[number]), overlay(pixels, heat))]

    def _picture_cells(self, pixels: np.ndarray, number: int) -> list[tuple[str, np.ndarray]]:
        """Draw the cells with the most evidence for the likeliest class, if the classifier reads single cells."""
        from leukoscope.inference.cell_evidence import CellMapper

        if not isinstance(self.mapper, CellMapper):
            return []
        first = self.mapper.picture_cells(pixels, self.reader.class_names[number], self.options.cells)
        return [(f"{cell.speaks_for:+.2f}\nweight {cell.weight:.2f}", cell.picture) for cell in first]

    def _picture_nearest(self, features: np.ndarray) -> list[tuple[str, np.ndarray]]:
        nearest = self.reader.find_nearest(features, self.options.neighbours)[0]
        return [
            (f"{neighbour.image_id}\n{neighbour.distance:.2f}", self._find_picture(neighbour.sha256))
            for neighbour in nearest.itertuples()
        ]

    def _find_picture(self, sha256: str) -> np.ndarray:
        """Find a training image by its content; return a grey one if it is not among the packed images."""
        packed = find_by_content(self.smears, sha256)
        side = self.reader.image_size
        return np.full((side, side, 3), 200, np.uint8) if packed is None else packed[1]
