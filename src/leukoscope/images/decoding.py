"""Decode a file's bytes into an upright 8-bit RGB image, or into the reason why that is impossible."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import imagehash
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from leukoscope.images.containers import TIFF_BEGINNINGS, StructureError, check_structure
from leukoscope.images.depth import UnclearDepthError, reduce_depth
from leukoscope.images.profiles import to_srgb
from leukoscope.images.soundness import DamagedError, check_bytes, check_jpeg, check_pixels, strip_padding

# Raster formats only: Pillow's EPS reader, for example, would run Ghostscript on an untrusted file.
RASTER_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP", "PPM", "JPEG2000")
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!")
_BEGINNINGS: dict[str, bytes | tuple[bytes, ...]] = {
    "a JPEG": b"\xff\xd8\xff",
    "a PNG": b"\x89PNG\r\n\x1a\n",
    "a TIFF": TIFF_BEGINNINGS,
    "a GIF": (b"GIF87a", b"GIF89a"),
    "a WebP": b"RIFF",
}
_JPEG_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_ONE_COLOUR = 4  # of 255: largest range of pixel values in an empty image
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
# Most pixels that a byte can encode: the format's limit, or for JPEG 2000, which has none, more than any field needs.
# Files that claim more are truncated or forged, and some decoders would invent the missing pixels.
_PIXELS_A_BYTE = {"JPEG": 512, "MPO": 512, "JPEG2000": 512, "PNG": 8_256, "GIF": 2_800, "TIFF": 22_400, "WEBP": 2_048}
_COMPRESSION = 259
_TIFF_BOUNDED = {1, 5, 7, 8, 32773, 32946}  # none, LZW, JPEG, deflate, PackBits, deflate
# Codecs that Pillow runs in Python, at a million samples a second.
_SLOW_CODECS = {
    "ppm_plain": "plain text",
    "ppm": "a range other than 0-255 and 0-65,535",
    "bmp_rle": "run-length encoding",
}
_MOST_SLOW = 4_000_000  # samples, or bytes


class UnusableImageError(ValueError):
    """A file that cannot become a sample; the message is the reason given in the manifest."""


class Limits(NamedTuple):
    """Limits that a file must meet before it is decoded.

    Attributes:
        min_side: Shortest side in pixels.
        max_pixels: Width times height.
        max_bytes: Size of the file.
    """

    min_side: int
    max_pixels: int
    max_bytes: int


class Decoded(NamedTuple):
    """A decoded image.

    Attributes:
        pixels: Upright RGB, ``uint8 [height, width, 3]``.
        mode: The pixel mode of the file.
        warning: A concern about a file that is still usable, or None.
    """

    pixels: np.ndarray
    mode: str
    warning: str | None


def decode(data: bytes, limits: Limits) -> Decoded:
    """Decode one image, checking its size before its pixels.

    Transparent images are composited on white, 16 bits are scaled to 8, colours are converted to sRGB where an ICC
    profile specifies another colour space, and the EXIF orientation is applied.

    Raises:
        UnusableImageError: With the reason, whatever is wrong with the content.
    """
    try:
        image = _open(data, limits)
        _check_header(image, limits)
        _check_claim(image, data)
        check_bytes(image, data)
        mode = image.mode
        pixels, warnings = _load(image, data)
        require_content(pixels)
        return Decoded(pixels, mode, "; ".join(filter(None, warnings)) or None)
    except UnusableImageError:
        raise
    except (UnclearDepthError, StructureError) as error:
        raise UnusableImageError(str(error)) from error
    except Image.DecompressionBombError as error:
        most = min(limits.max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or limits.max_pixels))
        raise UnusableImageError(f"too large: more than {most:,} pixels") from error
    except Exception as error:
        # Pillow's decoders raise almost anything on a damaged file, and no file may stop the run.
        raise UnusableImageError(f"truncated or damaged: {error}") from error


def require_content(pixels: np.ndarray) -> None:
    """Check that an image is not of a single colour.

    Args:
        pixels: ``uint8 [height, width, 3]``.

    Raises:
        UnusableImageError: The image is of a single colour.
    """
    sample = pixels[::16, ::16, 1]
    if int(sample.max()) - int(sample.min()) > _ONE_COLOUR:
        return  # true of nearly every image
    colours = pixels.reshape(-1, 3)
    highest = colours.max(axis=0)
    if (highest - colours.min(axis=0)).max() > _ONE_COLOUR:
        return
    raise UnusableImageError(f"one colour: every pixel is about {tuple(highest.tolist())}, expected a field with cells")


def _open(data: bytes, limits: Limits) -> Image.Image:
    if not data:
        raise UnusableImageError("empty file (0 bytes)")
    if data.startswith(_ARCHIVES):
        raise UnusableImageError("an archive, not an image")
    check_structure(data, limits.max_pixels)
    try:
        return Image.open(io.BytesIO(data), formats=RASTER_FORMATS)
    except UnidentifiedImageError as error:
        for name, beginning in _BEGINNINGS.items():
            if data.startswith(beginning):
                raise UnusableImageError(
                    f"truncated or damaged: it begins as {name} and cannot be opened, or is a variant that is not read"
                ) from error
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
    # Other formats have no frames, only previews (a phone's MPO), or a structure that was already checked.
    if image.format in {"PNG", "WEBP"} and (frames := getattr(image, "n_frames", 1)) > 1:
        raise StructureError(f"several frames: an animation of {frames}")


def _check_claim(image: Image.Image, data: bytes) -> None:
    """Refuse a size in pixels that the file's content cannot hold or that takes too long to decode."""
    samples = image.width * image.height * len(image.getbands())
    slow = _SLOW_CODECS.get(image.tile[0].codec_name) if image.tile else None  # type: ignore[attr-defined]
    if slow and max(len(data), samples) > _MOST_SLOW:
        raise UnusableImageError(
            f"too large for {slow}: {samples:,} values in {len(data):,} bytes, more than {_MOST_SLOW:,}; save it as PNG"
        )
    if image.width * image.height > _most_pixels(image, data):
        raise UnusableImageError(
            f"truncated or damaged: {image.width}x{image.height} pixels cannot come from {len(data):,} bytes"
        )


def _most_pixels(image: Image.Image, data: bytes) -> float:
    # Pixels of one colour need no bits at all in lossless WebP, and few in a TIFF's other compressions.
    unbounded = (image.format == "WEBP" and data[12:16] != b"VP8 ") or (
        image.format == "TIFF" and image.tag_v2.get(_COMPRESSION, 1) not in _TIFF_BOUNDED  # type: ignore[attr-defined]
    )
    return math.inf if unbounded else _PIXELS_A_BYTE.get(image.format or "", math.inf) * len(data)


def _load(image: Image.Image, data: bytes) -> tuple[np.ndarray, list[str | None]]:
    """Decode into upright RGB pixels, and notes for the manifest."""
    profile = image.info.get("icc_profile")
    notes = list[str | None]()
    if image.format in {"JPEG", "MPO"}:
        pixels = _decode_jpeg(image, data)
        orientation = image.getexif().get(_ORIENTATION, 1)
        if image.mode == "RGB" and not profile and orientation not in _TURNS:
            return pixels, notes
        image = Image.fromarray(pixels, image.mode)
    else:
        upwards = image.format == "BMP" and image.tile[0].args[-1] == -1  # type: ignore[attr-defined]
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)  # read after loading, which rotates a TIFF itself
        notes.append(_find_damage(image, upwards))
        image, note = reduce_depth(image, data)
        notes.append(note)
    image, note = to_srgb(_flatten(image), profile)
    return np.asarray(_upright(image, orientation)), [*notes, note]


def _find_damage(image: Image.Image, upwards: bool) -> str | None:
    damage = check_pixels(image, upwards)
    if damage is not None and damage.sure:
        raise DamagedError(damage.text)
    return None if damage is None else damage.text


def _decode_jpeg(image: Image.Image, data: bytes) -> np.ndarray:
    """Decode with the library that Pillow uses, but treat its warnings as errors.

    Returns:
        ``uint8 [height, width]`` or ``[height, width, channels]``, in the image's mode.
    """
    try:
        pixels = simplejpeg.decode_jpeg(data, _JPEG_SPACES[image.mode])
    except ValueError:
        padded = strip_padding(data)
        if padded is None:
            raise
        data = padded
        pixels = simplejpeg.decode_jpeg(data, _JPEG_SPACES[image.mode])
    check_jpeg(data)
    # Adobe stores CMYK inverted and marks the files it writes.
    return 255 - pixels if image.mode == "CMYK" and "adobe" in image.info else pixels.squeeze()


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _flatten(image: Image.Image) -> Image.Image:
    """Convert an image to mode L, RGB, CMYK or LAB, with transparent areas white."""
    if image.mode in {"I", "F"}:
        raise UnusableImageError(f"pixel mode {image.mode} has no known range: expected 8 or 16 bits a channel")
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image if image.mode in {"L", "RGB", "CMYK", "LAB"} else image.convert("RGB")


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize an RGB image to a square of ``size`` pixels a side, antialiased; ``uint8 [height, width, 3]`` both."""
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))


def perceptual_hash(pixels: np.ndarray) -> str:
    """Hash the appearance of an RGB image into 256 bits, as hexadecimal digits.

    A difference hash of the green channel, in which stained nuclei are darkest. See
    https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html.

    Args:
        pixels: ``uint8 [height, width, 3]``.
    """
    # A single call that averages whole blocks first, for speed: this runs for every image.
    green = Image.fromarray(pixels[:, :, 1])
    small = green.resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX, reducing_gap=1.0)
    return np.packbits(imagehash.dhash(small, _HASH_SIDE).hash).tobytes().hex()
