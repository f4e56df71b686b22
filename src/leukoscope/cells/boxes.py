"""Evaluate cell detection on images with boxes around their leukocytes: ``python -m leukoscope.cells.boxes``."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import click
import numpy as np
import scipy  # imports ndimage lazily, on first use

from leukoscope.cells.detector import CLASSICAL, detect
from leukoscope.cells.finding import estimate_diameter
from leukoscope.cells.judging import Tally
from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.images.decoding import Limits, UnusableImageError, decode, resize

_LIMITS = Limits(16, 50_000_000, 100_000_000)
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class BoxedField(NamedTuple):
    """A field, and the boxes of its leukocytes.

    Attributes:
        name: File name of the image, without suffix.
        image: ``uint8 [side, side, 3]``, RGB.
        boxes: Left, top, right and bottom in pixels of ``image``, ``float [leukocytes, 4]``.
    """

    name: str
    image: np.ndarray
    boxes: np.ndarray


def read_fields(images: Path, boxes: Path, side: int, label: str = "WBC") -> list[BoxedField]:
    """Read images as ingestion packs them, and their boxes, in the order of their names.

    Args:
        images: Folder of the images.
        boxes: Folder with a Pascal VOC XML file of the same name for each image.
        side: Side of the packed images, in pixels.
        label: The label of leukocytes in the files.

    Raises:
        InputError: There is no image, or an image or its boxes cannot be read.
    """
    fields = []
    for path in sorted(path for path in images.glob("*") if path.is_file()):
        try:
            image = decode(path.read_bytes(), _LIMITS)[0]
            corners = _read_boxes(boxes / f"{path.stem}.xml", label)
        except (UnusableImageError, OSError, ValueError, TypeError, ElementTree.ParseError) as error:
            raise InputError(
                f"{path} cannot be used: {error}. Expected an image, and {path.stem}.xml in {boxes} with boxes in the "
                f"format of Pascal VOC."
            ) from error
        scale = side / np.array([image.shape[1], image.shape[0]] * 2)
        fields.append(BoxedField(path.stem, resize(image, side), corners * scale))
    if not fields:
        raise InputError(f"There is no image in {images}. Expected a folder of images.")
    return fields


def _read_boxes(file: Path, label: str) -> np.ndarray:
    objects = [entry for entry in ElementTree.parse(file).iter("object") if entry.findtext("name") == label]
    corners = [[float(entry.findtext(f"bndbox/{corner}", "")) for corner in _CORNERS] for entry in objects]
    return np.array(corners).reshape(-1, 4)


def judge_detector(fields: Sequence[BoxedField], detector: str, diameter: float) -> Tally:
    """Compare a detector's cells with the fields' boxes.

    Args:
        fields: Fields from ``read_fields``.
        detector: A detector's name, as in ``load_detector``.
        diameter: Diameter of a typical leukocyte, in pixels of the packed images.
    """
    tally = Tally()
    for boxed in fields:
        places = scipy.ndimage.find_objects(detect(detector, boxed.image, diameter))
        detected = [[right.start, down.start, right.stop, down.stop] for down, right in places]
        tally.add_boxes(boxed.boxes, np.array(detected).reshape(-1, 4))
    return tally


@click.command()
@click.argument("images", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("boxes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--label", default="WBC", show_default=True, help="What leukocytes are called in the boxes' files.")
@click.option(
    "--image-size", type=click.IntRange(min=16), default=224, show_default=True, help="As of ingestion.image_size."
)
@click.option("--detector", default=CLASSICAL, show_default=True, help="As of cells.detector.")
@click.option(
    "--diameter", type=click.FloatRange(min=2), help="As of cells.diameter; estimated from the images by default."
)
def main(images: Path, boxes: Path, label: str, image_size: int, detector: str, diameter: float | None) -> None:
    """Tell how many of the leukocytes in BOXES (Pascal VOC) are found in IMAGES, in each half of them and in all."""
    fields = read_fields(images, boxes, image_size, label)
    width = diameter or estimate_diameter(np.stack([boxed.image for boxed in fields]), np.arange(len(fields)))
    halves = {"every other, from the first": fields[::2], "every other, from the second": fields[1::2], "all": fields}
    click.echo(f"A typical leukocyte is {width:g} pixels wide.")
    for name, part in halves.items():
        tally = judge_detector(part, detector, width)
        click.echo(
            f"{name}: {count_of(len(part), 'field')}, {count_of(tally.found + tally.missed, 'leukocyte')}, "
            f"recall {tally.recall:.3f}, precision {tally.precision:.3f}, mean overlap of boxes {tally.overlap:.3f}"
        )


if __name__ == "__main__":
    main()
