"""Scale 16 bits a channel to 8, where fewer than 16 may be significant."""

import io
from typing import Any

import numpy as np
from PIL import Image

_FULL = 65_535
# A smear on a bright background never stays below a quarter of the range; unscaled values of a 10- to 14-bit camera do.
_TOO_DARK = 16_384
_DARK = 32_768
_MOST = 0.999
# Tags of TIFF: BitsPerSample, MaxSampleValue.
_BITS = 258
_LARGEST_VALUE = 281
_PNG_BITS = 24  # offset of the bit depth in a PNG
_SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}


class UnclearDepthError(ValueError):
    """The brightness of the pixels cannot be determined; the message says why."""


def reduce_depth(image: Image.Image, data: bytes) -> tuple[Image.Image, str | None]:
    """Scale 16 bits a channel to 8; other images are left unchanged.

    Cameras of 10 to 14 bits leave the upper bits of 16 empty. If the file states how many bits are significant
    (MaxSampleValue or BitsPerSample of TIFF, sBIT of PNG) and no pixel exceeds them, their range becomes 0-255.

    Args:
        image: Decoded; of 16-bit colour, Pillow returns the upper 8 bits.
        data: The file's content.

    Returns:
        The image, and a warning if it is suspiciously dark.

    Raises:
        UnclearDepthError: The upper bits are empty, and the file does not say that they are insignificant.
    """
    grey = image.mode in _SIXTEEN_BITS or (image.mode == "I" and image.format in {"PNG", "PPM"})
    if not grey and not _has_sixteen_bits(image, data):
        return image, None
    values = _drop_alpha(image)
    largest_possible = _find_largest_value(image, data)
    if largest_possible < _FULL and not grey:
        values = _read_colour(image, data)
    step = 1 if grey or largest_possible < _FULL else 256  # Pillow keeps only the upper 8 bits of colour
    if int(values.max()) * step <= largest_possible < _FULL:
        return Image.fromarray(((values * 255 + largest_possible // 2) // largest_possible).astype(np.uint8)), None
    # A quantile, since a few hot pixels or a burnt-in scale bar do not make a field bright.
    largest = int(np.quantile(values, _MOST, method="higher")) * step + step - 1
    if largest < _TOO_DARK:
        raise UnclearDepthError(
            f"16 bits a channel of which only {largest.bit_length()} are used, and the file does not say that these "
            "are all: expected pixels scaled to 8 or 16 bits, or a TIFF with MaxSampleValue"
        )
    warning = f"dark: hardly a pixel is brighter than {largest:,} of {_FULL:,}" if largest < _DARK else None
    return (Image.fromarray(((values + 128) // 257).astype(np.uint8)) if grey else image), warning


def _drop_alpha(image: Image.Image) -> np.ndarray:
    values = np.asarray(image).astype(np.uint32)
    return values[..., :-1] if image.mode in {"LA", "RGBA"} else values


def _has_sixteen_bits(image: Image.Image, data: bytes) -> bool:
    if image.format == "TIFF":
        return 16 in np.atleast_1d(_get_tag(image, _BITS, 8))
    return image.format == "PNG" and data[_PNG_BITS] == 16


def _find_largest_value(image: Image.Image, data: bytes) -> int:
    """Find the largest value that the file says its pixels may have."""
    if image.format == "TIFF":
        bits = int(np.max(_get_tag(image, _BITS, 16)))
        return min(int(np.max(_get_tag(image, _LARGEST_VALUE, _FULL))), 2**bits - 1)
    place = data.find(b"sBIT", 0, data.find(b"IDAT")) if image.format == "PNG" else -1
    if place < 0:
        return _FULL
    length = int.from_bytes(data[place - 4 : place])
    return 2 ** max(data[place + 4 : place + 4 + length], default=16) - 1


def _get_tag(image: Image.Image, tag: int, default: int) -> Any:
    return image.tag_v2.get(tag, default)  # type: ignore[attr-defined]


def _read_colour(image: Image.Image, data: bytes) -> np.ndarray:
    """Read all bits of a colour TIFF, which Pillow does not: ``uint32 [height, width, 3]``.

    Raises:
        UnclearDepthError: The file is of another format or has another layout.
    """
    import tifffile

    expected = "expected 8 bits a channel, or an uncompressed TIFF"
    if image.format != "TIFF":
        raise UnclearDepthError(
            f"fewer than 16 bits of colour in a 16-bit {image.format}, which are not read: {expected}"
        )
    try:
        values = tifffile.imread(io.BytesIO(data))
    except (ValueError, OSError, KeyError, IndexError) as error:
        raise UnclearDepthError(f"16 bits of colour that cannot be read ({error}): {expected}") from error
    if values.shape != (image.height, image.width, 3):
        raise UnclearDepthError(f"16 bits of colour in an array of shape {list(values.shape)}: {expected}")
    return values.astype(np.uint32)
