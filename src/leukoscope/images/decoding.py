"""From a file's bytes to an upright 8-bit RGB image, or to the reason why there is none."""

from __future__ import annotations

import io
from typing import NamedTuple

import imagehash
import numpy as np
import simplejpeg
from PIL import Image, ImageChops, UnidentifiedImageError

# Raster formats only: Pillow's EPS reader, for one, would start Ghostscript on a stranger's file.
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP", "PPM", "JPEG2000")
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!")
_SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HASH_SIDE = 16
HASH_BITS = _HASH_SIDE**2


class UnusableImageError(ValueError):
    """A file that cannot become a sample; the message is the reason given in the manifest."""


class Limits(NamedTuple):
    """What a file must keep to before it is decoded.

    Attributes:
        min_side: Shortest side in pixels.
        max_pixels: Width times height.
        max_bytes: Size of the file.
    """

    min_side: int
    max_pixels: int
    max_bytes: int


class Decoded(NamedTuple):
    """An upright RGB image, ``uint8 [height, width, 3]``, and the mode that its file has."""

    pixels: np.ndarray
    mode: str


def decode(data: bytes, limits: Limits) -> Decoded:
    """Decode one image; its size is checked before its pixels are.

    Transparent images are laid on white, 16 bits are scaled to 8, and the EXIF orientation is applied.

    Raises:
        UnusableImageError: With the reason, whatever is wrong with the content.
    """
    try:
        image = _open(data)
        _check_header(image, limits)
        pixels = _load_jpeg(image, data)
        return Decoded(_load(image) if pixels is None else pixels, image.mode)
    except UnusableImageError:
        raise
    except Image.DecompressionBombError as error:
        raise UnusableImageError(f"too large: {error}") from error
    except Exception as error:
        # Pillow's decoders raise almost anything on a damaged file, and no file may stop the run.
        raise UnusableImageError(f"truncated or damaged: {error}") from error


def _open(data: bytes) -> Image.Image:
    if not data:
        raise UnusableImageError("empty file (0 bytes)")
    if data.startswith(_ARCHIVES):
        raise UnusableImageError("an archive, not an image")
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise UnusableImageError("not an image of a known format") from error


def _check_header(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise UnusableImageError(
            f"too large: {width}x{height} pixels, more than the {limits.max_pixels:,} of ingestion.max_pixels"
        )
    if min(width, height) < limits.min_side:
        raise UnusableImageError(
            f"too small: {width}x{height} pixels, less than the {limits.min_side} of ingestion.min_side"
        )
    # The further pictures of a phone's MPO are previews of its first.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise UnusableImageError(f"several frames: an animation or stack of {getattr(image, 'n_frames', 0)}")


def _load(image: Image.Image) -> np.ndarray:
    image.load()
    return np.asarray(_upright(_to_rgb(image), image.getexif().get(_ORIENTATION, 1)))


def _load_jpeg(image: Image.Image, data: bytes) -> np.ndarray | None:
    """Decode as Pillow would, by the same library but with no detours; ``None`` for what is left to Pillow."""
    if image.format != "JPEG" or image.mode != "RGB" or image.getexif().get(_ORIENTATION, 1) in _TURNS:
        return None
    try:
        return simplejpeg.decode_jpeg(data)
    except ValueError:  # damaged, and Pillow tells whether beyond use
        return None


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS or (image.mode == "I" and image.format in {"PNG", "PPM"}):
        return _sixteen_to_eight_bits(image).convert("RGB")
    if image.mode in {"I", "F"}:
        raise UnusableImageError(f"pixel mode {image.mode} has no known range: expected 8 or 16 bits a channel")
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for Adobe's, which are inverted; without the marker it is not.
        image = ImageChops.invert(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _sixteen_to_eight_bits(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips or drops the low byte, depending on the mode.
    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """Give an RGB image as a square of ``size`` pixels a side, antialiased; ``uint8 [height, width, 3]`` both."""
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))


def perceptual_hash(pixels: np.ndarray) -> str:
    """Hash the looks of an RGB image: 256 bits as hexadecimal digits.

    A difference hash of the green channel, the one in which stained nuclei are darkest. See
    https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html.

    Args:
        pixels: ``uint8 [height, width, 3]``.
    """
    # One call that averages whole blocks first: this runs for every image.
    green = Image.fromarray(pixels[:, :, 1])
    small = green.resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX, reducing_gap=1.0)
    return np.packbits(imagehash.dhash(small, _HASH_SIDE).hash).tobytes().hex()
