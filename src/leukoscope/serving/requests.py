"""Decode requests to a served model: images as bytes, base64 or arrays."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.images.decoding import RASTER_FORMATS, UnusableImageError, require_content
from leukoscope.reader.photographs import Field, make_field
from leukoscope.reader.second_reader import SecondReader

COLUMN = "image"
_EXPECTED = (
    f"Expected images in the column `{COLUMN}`: each the bytes of a file, these in base64, or an array of RGB pixels, "
    f"0-255, [height, width, 3]."
)

T = TypeVar("T")
U = TypeVar("U")


class RequestLimits(NamedTuple):
    """Limits of a request; the defaults apply to models that were promoted before such a limit existed.

    Attributes:
        max_images: Number of images in one request.
        max_bytes: Size of one image's file.
        max_pixels: Pixels of one image, width times height.
        max_request_pixels: Pixels of all images of a request.
        max_request_bytes: Size of the body of a request to a server.
        max_seconds: Duration of a request to a server, including the time that it waits for others.
        max_tiles: Total number of tiles that the photographs of many fields in a request are cut into.
    """

    max_images: int
    max_bytes: int
    max_pixels: int
    max_request_pixels: int = 100_000_000
    max_request_bytes: int = 100_000_000
    max_seconds: float = 50.0
    max_tiles: int = 400


class OpenedImage(NamedTuple):
    """An image that is not decoded yet.

    Attributes:
        content: Content of a file, or pixels ``uint8 [height, width, 3]``.
        pixels: Width times height, according to the file's header; 0 if the header is unreadable.
    """

    content: bytes | np.ndarray
    pixels: int


def decode_request(asked: pd.DataFrame, reader: SecondReader, limits: RequestLimits) -> list[Field]:
    """Convert a client's images into the reader's inputs.

    Args:
        asked: The request as a table from MLflow: one row per image, in the column ``image``.
        reader: The reader, which determines the size of images.
        limits: Limits of the request.

    Returns:
        One field per image.

    Raises:
        InputError: There are no images, too many, or unusable ones, all of which are named.
    """
    return decode_images(open_images(list_column(asked), reader, limits), reader, limits)


def list_column(asked: pd.DataFrame) -> list[Any]:
    """List the images of a table.

    Raises:
        InputError: The table has no column of images, or several.
    """
    if list(asked.columns).count(COLUMN) != 1:
        raise InputError(f"The table has no single column `{COLUMN}`. {_EXPECTED}")
    return [_unwrap(item) for item in asked[COLUMN]]


def open_images(items: Sequence[Any], reader: SecondReader, limits: RequestLimits) -> list[OpenedImage]:
    """Check everything that can be checked of images before decoding any.

    Args:
        items: Bytes, base64 or arrays.
        reader: The reader, which determines the smallest image size.
        limits: Limits of the request.

    Raises:
        InputError: There are no images, too many images or pixels, or an item is not an image.
    """
    if not items:
        raise InputError(f"The request holds no image. {_EXPECTED}")
    if len(items) > limits.max_images:
        raise InputError(
            f"The request holds {len(items)} images, and {limits.max_images} are allowed. Send several requests."
        )
    opened = _apply(lambda item: _open(item, reader.limits.min_side, limits), items)
    pixels = sum(image.pixels for image in opened)
    if pixels > limits.max_request_pixels:
        raise InputError(
            f"The images of the request have {pixels:,} pixels, and {limits.max_request_pixels:,} are allowed in one "
            f"request. Send several requests, or smaller images."
        )
    return opened


def decode_images(
    opened: Sequence[OpenedImage],
    reader: SecondReader,
    limits: RequestLimits,
    take_turn: Callable[[Callable[[], Field]], Field] = lambda task: task(),
) -> list[Field]:
    """Decode images, one after another.

    Args:
        opened: Images as returned by ``open_images``.
        reader: The reader, which determines the size of images.
        limits: Limits of the request.
        take_turn: Decodes one image as soon as there is memory for it.

    Returns:
        One field per image; photographs of many fields have their tiles cut out.

    Raises:
        InputError: Some images are unusable, all of which are named, or photographs have too many tiles.
    """
    tiles = 0

    def decode(image: OpenedImage) -> Field:
        nonlocal tiles
        field = take_turn(lambda: _decode(image, reader, limits))
        tiles += len(field.tiles)
        if tiles > limits.max_tiles:  # at once, since tiles take memory
            raise InputError(
                f"The request's photographs of many fields are more than {limits.max_tiles} tiles of the training "
                f"images' scale, which is what is allowed in one request. Send several requests, or cut them."
            )
        return field

    return _apply(decode, opened)


def _apply(work: Callable[[T], U], images: Sequence[T]) -> list[U]:
    """Apply a function to each image; the error names all unusable images."""
    results = []
    faults = []
    for number, image in enumerate(images, start=1):
        try:
            results.append(work(image))
        except UnusableImageError as error:
            faults.append(f"image {number} of {len(images)}: {error}")
    if faults:
        raise InputError(f"Not every image can be used: {'; '.join(faults)}. {_EXPECTED}")
    return results


def _unwrap(item: Any) -> Any:
    """Unwrap an image from MLflow's form of JSON records, in which text is an array without axes."""
    return item.item() if isinstance(item, np.ndarray) and not item.ndim else item


def _open(item: Any, min_side: int, limits: RequestLimits) -> OpenedImage:
    if isinstance(item, str):
        item = _decode_base64(item, limits.max_bytes)
    if isinstance(item, bytes | bytearray | memoryview):
        content = bytes(item)
        _check_size(len(content), limits.max_bytes)
        return OpenedImage(content, _count_pixels(content))
    pixels = _check_pixels(item, min_side, limits.max_pixels)
    return OpenedImage(pixels, pixels.shape[0] * pixels.shape[1])


def _count_pixels(content: bytes) -> int:
    try:
        with Image.open(io.BytesIO(content), formats=RASTER_FORMATS) as image:
            return image.width * image.height
    except Exception:  # Pillow raises almost anything; decoding will report the error
        return 0


def _decode(image: OpenedImage, reader: SecondReader, limits: RequestLimits) -> Field:
    if isinstance(image.content, bytes):
        return reader.decode(image.content, limits.max_pixels, cutting=True)
    require_content(image.content)
    return make_field(reader, image.content, cutting=True)


def _decode_base64(text: str, max_bytes: int) -> bytes:
    _check_size(len(text) * 3 // 4, max_bytes)
    content = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise UnusableImageError(f"text that is not base64: {error}") from error


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise UnusableImageError(f"too large: {size:,} bytes, more than {max_bytes:,}")


def _check_pixels(item: Any, min_side: int, max_pixels: int) -> np.ndarray:
    pixels = item if isinstance(item, np.ndarray) else _to_array(item)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UnusableImageError(f"an array of shape {list(pixels.shape)}")
    height, width, _ = pixels.shape
    if min(height, width) < min_side or height * width > max_pixels:
        raise UnusableImageError(
            f"{width}x{height} pixels: expected a side of {min_side} or more, and {max_pixels:,} pixels at the most"
        )
    if pixels.dtype == object:
        pixels = _to_whole_numbers(pixels)
    if pixels.dtype.kind not in "iu":
        raise UnusableImageError(f"pixels of {pixels.dtype}, not whole numbers of 0-255")
    if pixels.min() < 0 or pixels.max() > 255:
        raise UnusableImageError(f"pixels from {pixels.min()} to {pixels.max()}, not 0-255")
    return pixels.astype(np.uint8)


def _to_array(item: Any) -> np.ndarray:
    """Convert lists to an array of objects: as text, all elements would take the space of the longest."""
    try:
        return np.array(item, dtype=object)
    except ValueError as error:  # lists of different lengths
        raise UnusableImageError(f"no array: {error}") from error


def _to_whole_numbers(pixels: np.ndarray) -> np.ndarray:
    if set(map(type, pixels.flat)) != {int}:
        return pixels
    try:
        return pixels.astype(np.int64)
    except OverflowError as error:
        raise UnusableImageError("pixels of more than 64 bits, not 0-255") from error
