"""Check image files for damage that decoders silently tolerate."""

import re
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from leukoscope.images.containers import START_OF_SCAN, walk_jpeg

# Our compressed smears have at most 11 zeros in a row; large empty fields and headers may have a few hundred.
_LONG_RUN = 64
_ROOMY = 0.02  # bytes per pixel below which a picture is so empty that its file may hold long runs of zeros
_LONGEST_SHARE = 0.1
# With the usual Huffman tables of a JPEG, zeros encode blocks that no camera captures; real scans have at most 4 in a
# row.
_JPEG_RUN = 16
_BASELINE = {0xC0, 0xC1}
_HUFFMAN_TABLES = 0xC4
_UNCOMPRESSED = 1
_LZW = 5
_DEFLATE = (8, 32946)
_COMPRESSION = 259
_BITS = 258
_SAMPLES = 277
_ROWS_PER_STRIP = 278
_PLANAR = 284
_TILE_WIDTH = 322
_TILE_HEIGHT = 323
_PLANES_APART = 2
_SHARED = 4  # number of strips that may share a byte, on average
# Tags of strips and of tiles.
_OFFSETS = (273, 324)
_LENGTHS = (279, 325)
_DARK = 0.01  # share of exactly black pixels above which black is regarded as the background
_CUT = 8  # a cell with a straight edge longer than the width divided by this has been cut off
_BLACK_SHARE = 0.05


class DamagedError(ValueError):
    """The file is damaged; the message says where."""


class Finding(NamedTuple):
    """Something that looks like damage.

    Attributes:
        text: Description of the finding.
        sure: Whether damage is the only possible cause.
    """

    text: str
    sure: bool


def check_bytes(image: Image.Image, data: bytes) -> None:
    """Check a file's checksums, its length, and its compressed data for zeroed parts.

    Args:
        image: The opened file, not yet decoded.
        data: The file's content.

    Raises:
        DamagedError: A checksum is wrong, the file ends too early, or a part of its compressed data was zeroed.
    """
    match image.format:
        case "PNG":
            _check_png(data)
        case "WEBP":
            _check_zeros(_drop_metadata(image, data[: 8 + int.from_bytes(data[4:8], "little")]), image)
        case "JPEG2000":
            _check_zeros(_drop_metadata(image, data[: data.rfind(b"\xff\xd9")]), image)
        case "TIFF":
            _check_tiff(image, data)


def check_pixels(image: Image.Image, rows_upwards: bool) -> Finding | None:
    """Look for black that begins or ends in mid-field, a sign that uncompressed data were zeroed.

    Args:
        image: The decoded image, in the mode of the file.
        rows_upwards: Whether the file begins with the lowest row, as a BMP does.

    Returns:
        The finding, if any; sure on fields, never on single cells on black, whose background consists of zeros too.
    """
    if image.mode == "1" or not _is_uncompressed(image):
        return None
    values = np.asarray(image)
    black = (values[::-1] if rows_upwards else values) == 0
    return _find_break(black.all(axis=2) if black.ndim == 3 else black)


def check_jpeg(data: bytes) -> None:
    """Look for zeros in a JPEG that libjpeg decodes without a warning.

    Raises:
        DamagedError: A baseline scan holds zeros that no encoder writes.
    """
    if bytes(_JPEG_RUN) not in data:
        return
    process, zero_codes, scan = _parse_jpeg(data)
    zeros = bytes(_JPEG_RUN) in data[scan : data.find(b"\xff\xd9", scan)]
    # If a table's all-zero code means "no difference" or "end of block", zeros legitimately encode plain areas.
    if zeros and process in _BASELINE and any(zero_codes):
        raise DamagedError("a part of the compressed data is zeros")


def strip_padding(data: bytes) -> bytes | None:
    """Remove the zeros that some writers leave before a JPEG's end; return ``None`` if there are none."""
    end = data.rfind(b"\xff\xd9")
    body = data[: max(end, 0)].rstrip(b"\0")
    return body + b"\xff\xd9" if 0 < len(body) < end else None


def _check_png(data: bytes) -> None:
    view = memoryview(data)
    at = 8
    kind = b""
    while kind != b"IEND":
        end = at + 12 + int.from_bytes(view[at : at + 4])
        kind = bytes(view[at + 4 : at + 8])
        if end > len(view):
            raise DamagedError("image file is truncated, it ends before its IEND chunk")
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise DamagedError(f"the checksum of a chunk {kind.decode('latin-1')!a} is wrong")
        at = end


def _check_tiff(image: Image.Image, data: bytes) -> None:
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    compression = tags.get(_COMPRESSION, _UNCOMPRESSED)
    if compression == _UNCOMPRESSED:
        return
    number, size = _measure_parts(image)
    for offsets, lengths in zip(_OFFSETS, _LENGTHS, strict=True):
        parts = list(zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False))[:number]
        # Some writers store equal strips once.
        if sum(length for _, length in parts) > _SHARED * len(data):
            raise DamagedError("its strips or tiles are longer than the file")
        for start, length in parts:
            part = data[start : start + length]
            if len(part) < length:
                raise DamagedError("image file is truncated, it ends before its pixels do")
            if compression in _DEFLATE:
                _check_deflated(part, size)
            else:
                _check_zeros(part, image)


def _measure_parts(image: Image.Image) -> tuple[int, int]:
    """Return the number of strips or tiles that a TIFF needs, and the uncompressed size of each in bytes."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    rows = min(tags.get(_ROWS_PER_STRIP, image.height), image.height)
    width = tags.get(_TILE_WIDTH, image.width)
    height = tags.get(_TILE_HEIGHT, rows)
    samples = tags.get(_SAMPLES, 1)
    planes = samples if tags.get(_PLANAR, 1) == _PLANES_APART else 1
    number = -(-image.width // width) * -(-image.height // height) * planes
    sample_bytes = -(-int(np.max(tags.get(_BITS, 1))) // 8)
    return number, width * height * (samples // planes) * sample_bytes


def _check_deflated(part: bytes, size: int) -> None:
    """Verify the checksum of a strip, which libtiff does not read; inflate nothing beyond the strip's pixels."""
    stream = zlib.decompressobj()
    if len(stream.decompress(part, size + 1)) <= size and not stream.eof:
        raise DamagedError("a part of its compressed data is missing")


def _check_zeros(data: bytes, image: Image.Image) -> None:
    if bytes(_LONG_RUN) not in data:
        return
    longest = max(run.end() - run.start() for run in re.finditer(rb"\0{%d,}" % _LONG_RUN, data))
    empty = len(data) < _ROOMY * image.width * image.height
    if not empty or longest > _LONGEST_SHARE * len(data):
        raise DamagedError(f"{longest:,} bytes of the compressed data are zeros")


def _drop_metadata(image: Image.Image, data: bytes) -> bytes:
    for name in ("icc_profile", "exif", "xmp"):
        if image.info.get(name):
            data = data.replace(image.info[name], b"")
    return data


def _is_uncompressed(image: Image.Image) -> bool:
    if image.format == "TIFF":
        return image.tag_v2.get(_COMPRESSION, _UNCOMPRESSED) in (_UNCOMPRESSED, _LZW)  # type: ignore[attr-defined]
    return image.format in {"BMP", "PPM"}


def _find_break(black: np.ndarray) -> Finding | None:
    """Assess the longest run of black pixels in file order, ``bool [height, width]``."""
    width = black.shape[1]
    flat = black.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    if not len(edges):
        return None
    start, end = edges.reshape(-1, 2)[np.diff(edges.reshape(-1, 2)).argmax()]
    length = end - start
    rest = len(flat) - (end - start)
    if length < width or not rest:
        return None
    share = f"{length / len(flat):.0%} of the pixels are black in one piece"
    if flat.sum() - length > _DARK * rest:
        cut = start > width and _count_beyond(~flat, start, width) * _CUT > width
        return Finding(f"perhaps damaged: {share} that cuts off what is shown", False) if cut else None
    if start % width or end % width:
        return Finding(f"{share} that begins or ends in mid-field", True)
    return Finding(f"perhaps damaged: {share}", False) if length > _BLACK_SHARE * len(flat) else None


def _count_beyond(shown: np.ndarray, start: int, width: int) -> int:
    """Count how many pixels of the row above continue the content beyond the place where the black begins."""
    above = shown[start - width : start - start % width]
    return len(above) if above.all() else int(np.argmin(above))


def _parse_jpeg(data: bytes) -> tuple[int, list[int], int]:
    """Parse the process (the frame's marker), the meaning of zeros in each Huffman table, and the start of the scan."""
    process = 0
    zero_codes = list[int]()
    for marker, start, end in walk_jpeg(data):
        if marker == START_OF_SCAN:
            return process, zero_codes, start
        if marker == _HUFFMAN_TABLES:
            zero_codes += _list_zero_codes(data[start:end])
        elif 0xC0 <= marker <= 0xCF and marker != 0xC8:
            process = marker
    return process, zero_codes, len(data)


def _list_zero_codes(tables: bytes) -> list[int]:
    codes = []
    at = 0
    while at + 17 < len(tables):
        codes.append(tables[at + 17])  # the first symbol has the all-zero code
        at += 17 + sum(tables[at + 1 : at + 17])
    return codes
