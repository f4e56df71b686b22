"""What a served model is asked: images as bytes, base64 or arrays."""

import base64
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukoscope.errors import InputError
from leukoscope.images.decoding import UnusableImageError, require_content, resize
from leukoscope.models.reader import SecondReader

COLUMN = "image"
_EXPECTED = (
    f"Expected images in the column `{COLUMN}`: each the bytes of a file, these in base64, or an array of RGB pixels, "
    f"0-255, [height, width, 3]."
)


class RequestLimits(NamedTuple):
    """What a request must keep to.

    Attributes:
        max_images: In one request.
        max_bytes: Of one image's file.
        max_pixels: Of one image, width times height.
    """

    max_images: int
    max_bytes: int
    max_pixels: int


def decode_request(asked: pd.DataFrame, reader: SecondReader, limits: RequestLimits) -> np.ndarray:
    """Turn what a client sends into what the reader reads.

    Args:
        asked: What MLflow makes of a request: one row an image, in the column ``image``.
        reader: Knows the size of its images.
        limits: What the request must keep to.

    Returns:
        ``uint8 [n, size, size, 3]``.

    Raises:
        InputError: There is no image, or too many, or one that cannot be used: all that cannot are named.
    """
    items = _list_images(asked)
    if not items:
        raise InputError(f"The request holds no image. {_EXPECTED}")
    if len(items) > limits.max_images:
        raise InputError(
            f"The request holds {len(items)} images, and {limits.max_images} are allowed. Send several requests."
        )
    pixels, faults = [], []
    for number, item in enumerate(items, start=1):
        try:
            pixels.append(_decode(item, reader, limits))
        except UnusableImageError as error:
            faults.append(f"image {number} of {len(items)}: {error}")
    if faults:
        raise InputError(f"Not every image can be used: {'; '.join(faults)}. {_EXPECTED}")
    return np.stack(pixels)


def _list_images(asked: pd.DataFrame) -> list[Any]:
    return [_unwrap(item) for item in asked[COLUMN]]


def _unwrap(item: Any) -> Any:
    """Take an image out of what MLflow makes of records in JSON: text as an array without axes."""
    return item.item() if isinstance(item, np.ndarray) and not item.ndim else item


def _decode(item: Any, reader: SecondReader, limits: RequestLimits) -> np.ndarray:
    if isinstance(item, str):
        item = _decode_base64(item, limits.max_bytes)
    if isinstance(item, bytes | bytearray | memoryview):
        _check_size(len(item), limits.max_bytes)
        return reader.decode(bytes(item), limits.max_pixels)
    return resize(_check_pixels(item, reader.limits.min_side, limits.max_pixels), reader.image_size)


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
    try:
        pixels = np.asarray(item)
    except ValueError as error:  # lists of different lengths
        raise UnusableImageError(f"no array: {error}") from error
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UnusableImageError(f"an array of shape {list(pixels.shape)}")
    height, width, _ = pixels.shape
    if min(height, width) < min_side or height * width > max_pixels:
        raise UnusableImageError(
            f"{width}x{height} pixels: expected a side of {min_side} or more, and {max_pixels:,} pixels at the most"
        )
    if pixels.dtype.kind not in "iu":
        raise UnusableImageError(f"pixels of {pixels.dtype}, not whole numbers of 0-255")
    if pixels.min() < 0 or pixels.max() > 255:
        raise UnusableImageError(f"pixels from {pixels.min()} to {pixels.max()}, not 0-255")
    pixels = pixels.astype(np.uint8)
    require_content(pixels)
    return pixels
