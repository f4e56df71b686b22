"""Fields with boxes in Pascal VOC format: each boxed cell is cut out as a separate image."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from leukoscope.core.drawn import MARK, is_drawn
from leukoscope.images.decoding import Limits, UnusableImageError, decode
from leukoscope.images.files import FoundFile, ImageSource, ReadFile
from leukoscope.images.layout import CELLS, Layout, cut_suffix, is_image, register
from leukoscope.images.naming import NamedFile

_BOXES = ".xml"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MARGIN = 0.1  # of the box's longer side, on each side: boxes are drawn tightly around a cell
_MOST_BYTES = 1_000_000
_LIMITS = Limits(1, 50_000_000, 100_000_000)
_CUT = "#"  # between the path of a field and the corners of a box in it


class _Box(NamedTuple):
    """A named box: left, top, right and bottom in pixels of its field."""

    name: str
    corners: tuple[int, int, int, int]


@register
class Boxes(Layout):
    """One XML file of boxes per image, with the image's name, in its folder or another.

    An example is BCCD (Shenggan/BCCD_Dataset), whose boxes are called WBC, RBC and Platelets. The cells of one field
    form a group.
    """

    name = "boxes"
    title = "boxes in the format of Pascal VOC"
    expects = "images, and for each an XML file of the same name with objects, their names and bndbox"
    unit = "field"
    unknown = "Boxes say what a cell is called, and not whether it is malignant, nor whose it is."
    scale = CELLS

    def fits(self, source: ImageSource) -> bool:
        """Check whether an XML file and an image have the same name."""
        stems = {PurePosixPath(file.path).stem for file in source.files if is_image(file)}
        return any(_is_boxes(file) and PurePosixPath(file.path).stem in stems for file in source.files)

    def open(self, source: ImageSource) -> ImageSource:
        """Return a source that reads boxes as if they were files."""
        return source if isinstance(source, CropSource) else CropSource(source)

    def sort(self, source: ImageSource) -> list[NamedFile]:
        """Return each box as an image labelled by the box's name, and each unreadable XML file without a label."""
        images = _index([file for file in source.files if is_image(file)])
        sorted_files = list[NamedFile]()
        with source.reading() as read:
            for file in source.files:
                if _is_boxes(file):
                    sorted_files += _sort(file, images, read)
        return sorted_files

    def find_group(self, image_id: str) -> str | None:
        """Return the field that a cell was cut out of."""
        return f"field {image_id.rpartition('/')[0]}"


class CropSource(ImageSource):
    """A source of fields that can also read single boxes, by the path of the field and the box's corners.

    Args:
        whole: The source of the fields.
    """

    def __init__(self, whole: ImageSource) -> None:
        super().__init__(whole.root)
        self._whole = whole

    def _list(self) -> Iterable[FoundFile]:
        return self._fields.files

    @property
    def _fields(self) -> ImageSource:
        """The fields at this source's current root, which may have been made absolute since; listed anew."""
        fields = copy(self._whole)
        fields.__dict__.pop("files", None)
        fields.root = self.root
        return fields

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_whole": self._fields}

    @contextmanager
    def reading(self) -> Iterator[ReadFile]:
        """Open the source; reading a box returns a plain image of that part of its field."""
        with self._fields.reading() as read_field:

            def read(path: str) -> bytes:
                field, mark, corners = path.rpartition(_CUT)
                if not mark or not is_crop(corners):
                    return read_field(path)
                return _cut(read_field(field), tuple(map(int, corners.split(","))))

            yield read


def is_crop(corners: str) -> bool:
    """Check whether a text consists of four integers separated by commas."""
    parts = corners.split(",")
    return len(parts) == len(_CORNERS) and all(part.isdecimal() for part in parts)


def _is_boxes(file: FoundFile) -> bool:
    return PurePosixPath(file.path).suffix.lower() == _BOXES


def _index(images: Iterable[FoundFile]) -> dict[str, list[FoundFile]]:
    files_by_stem: dict[str, list[FoundFile]] = {}
    for image in images:
        files_by_stem.setdefault(PurePosixPath(image.path).stem, []).append(image)
    return files_by_stem


def _sort(file: FoundFile, images: Mapping[str, list[FoundFile]], read: ReadFile) -> list[NamedFile]:
    path = PurePosixPath(file.path)
    fitting = images.get(path.stem, [])
    beside = [image for image in fitting if PurePosixPath(image.path).parent == path.parent]
    if len(beside or fitting) != 1:
        what = "several images are" if fitting else "no image is"
        return [_refuse(file, f"{what} called {path.stem}, as this file of boxes")]
    image = (beside or fitting)[0]
    try:
        if file.refused or file.size > _MOST_BYTES:
            raise ValueError(file.refused or f"{file.size:,} bytes are too many for boxes")
        boxes = _read_boxes(read(file.path))
    except (OSError, ValueError, TypeError, OverflowError, ElementTree.ParseError) as error:
        return [_refuse(file, f"its boxes cannot be read: {error}")]
    return [_describe(image, box, number) for number, box in enumerate(boxes, start=1)]


def _refuse(file: FoundFile, reason: str) -> NamedFile:
    return NamedFile(cut_suffix(file.path), None, file._replace(refused=reason))


def _read_boxes(content: bytes) -> list[_Box]:
    """Read the boxes of a file.

    Raises:
        ValueError: A corner is not a number. ``OverflowError``: it is infinite. ``ParseError``: the XML is invalid.
    """
    boxes = []
    for entry in ElementTree.fromstring(content).iter("object"):
        corners = [round(float(entry.findtext(f"bndbox/{corner}", ""))) for corner in _CORNERS]
        left, top, right, bottom = (max(0, corner) for corner in corners)
        boxes.append(_Box((entry.findtext("name") or "").strip(), (left, top, right, bottom)))
    return boxes


def _describe(image: FoundFile, box: _Box, number: int) -> NamedFile:
    left, top, right, bottom = box.corners
    empty = None if left < right and top < bottom else "its box is empty"
    path = f"{image.path}{_CUT}{','.join(map(str, box.corners))}"
    name = f"{cut_suffix(image.path)}/{box.name.replace('/', '_') or 'unnamed'}-{number}"
    return NamedFile(name, box.name or None, image._replace(path=path, refused=image.refused or empty))


def _cut(content: bytes, corners: tuple[int, ...]) -> bytes:
    """Cut a square around a box out of a field, as a PPM, whose bytes are the same on every machine.

    Raises:
        UnusableImageError: The box lies outside the field, or the field cannot be decoded.
    """
    field = decode(content, _LIMITS).pixels
    left, top, right, bottom = corners
    side = round(max(right - left, bottom - top) * (1 + 2 * _MARGIN))
    rows, columns = (_place(start + stop, side, size) for start, stop, size in _pair(corners, field.shape))
    if left >= field.shape[1] or top >= field.shape[0]:
        raise UnusableImageError(f"its box begins outside of the field, which has {field.shape[1]} x {field.shape[0]}")
    crop = np.ascontiguousarray(field[rows, columns])
    mark = f"# {MARK}\n" if is_drawn(content) else ""
    return f"P6\n{mark}{crop.shape[1]} {crop.shape[0]}\n255\n".encode() + crop.tobytes()


def _pair(corners: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
    left, top, right, bottom = corners
    return (top, bottom, shape[0]), (left, right, shape[1])


def _place(twice_middle: int, side: int, size: int) -> slice:
    """Centre a side on a middle, shifted to stay inside where possible."""
    side = min(side, size)
    start = min(max(0, (twice_middle - side) // 2), size - side)
    return slice(start, start + side)
