"""Check the structure of image files before a decoder opens them.

Decoders trust what a file claims: a few bytes can demand hours or gigabytes. Nothing is decoded here, and the work is
bounded by the number of parts inspected.
"""

import re
from collections.abc import Callable, Iterator

from leukoscope.images.tiff_pages import list_pages

# Pillow takes 5 microseconds per part. A PNG of 100 MB has 12,000 chunks, a GIF of that size 400,000 blocks.
_MOST_PARTS = 50_000
_MOST_BLOCKS = 1_000_000
_MOST_SCANS = 100  # of a progressive JPEG; each scan covers the whole picture, and writers make about ten
_MOST_TILES = 10_000  # of a JPEG 2000; each tile costs memory, however small it is
_MOST_STRIPS = 200_000  # of a TIFF: usually one per row, or three with separate planes
_MOST_IN_TILE = 2**24  # pixels; the picture may be smaller than its only tile
# A PPM's header: kind, width, height and largest value, with comments in between.
_MOST_HEADER = 65_536
_HEADER_FIELDS = 4
_MOST_COMMENTS = 1_000  # of a PPM in plain text, since Pillow copies a megabyte for each
START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
TIFF_BEGINNINGS = tuple(order + mark for order in (b"II", b"MM") for mark in (b"*\0", b"\0*", b"+\0", b"\0+"))
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}  # TEM, RSTn, SOI
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class StructureError(ValueError):
    """The file's structure shows that it is not a single intact picture; the message is the reason."""


def check_structure(data: bytes, max_pixels: int) -> None:
    """Refuse animations, stacks and files that would keep a decoder busy for long; leave other damage to decoders.

    Args:
        data: The file's content.
        max_pixels: Most pixels to decode, also within a single tile.

    Raises:
        StructureError: With the reason.
    """
    for beginning, check in _CHECKS.items():
        if data.startswith(beginning):
            try:
                check(data, max_pixels)
            except IndexError:
                return  # the file ends early, which the decoder will report


def walk_jpeg(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, start and end of each segment's content, up to the end of the first picture.

    For a scan, the content is its header; the coded data are skipped.

    Raises:
        IndexError: The file ends within a segment.
    """
    at = 2
    pattern = _MARKER
    while match := pattern.search(data, at):
        marker = data[match.end() - 1]
        at = match.end()
        if marker == _END_OF_IMAGE:
            return
        if marker in _WITHOUT_LENGTH:
            continue
        end = at + int.from_bytes((data[at], data[at + 1]))
        yield marker, at + 2, end
        at = end
        pattern = _MARKER_IN_SCAN if marker == START_OF_SCAN else _MARKER


def _check_jpeg(data: bytes, max_pixels: int) -> None:
    parts = 0
    scans = 0
    last = 2
    for marker, start, end in walk_jpeg(data):
        if not scans:
            parts += start - last - 4  # Pillow inspects each byte between segments
        scans += marker == START_OF_SCAN
        last = end
        parts += 1
        _require(parts <= _MOST_PARTS, f"more than {_MOST_PARTS:,} segments or bytes between them")
        _require(scans <= _MOST_SCANS, f"more than {_MOST_SCANS} scans")
    if not scans:
        _require(len(data) - last <= _MOST_PARTS, "no scan")


def _check_png(data: bytes, max_pixels: int) -> None:
    at = 8
    parts = 0
    while at < len(data) and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4])
        parts += 1
        _require(parts <= _MOST_PARTS, f"more than {_MOST_PARTS:,} chunks")


def _check_gif(data: bytes, max_pixels: int) -> None:
    at = 13 + _measure_colours(data[10])
    blocks = 0
    frames = 0
    while data[at] != 0x3B:
        kind = data[at]
        at += {0x21: 2, 0x2C: 11}.get(kind, 1)
        if kind == 0x2C:
            frames += 1
            at += _measure_colours(data[at - 2])
            _require_one(frames == 1)
        while kind in (0x21, 0x2C) and data[at]:
            at += data[at] + 1
            blocks += 1
            _require(blocks <= _MOST_BLOCKS, f"more than {_MOST_BLOCKS:,} blocks")
        at += kind in (0x21, 0x2C)
        blocks += 1
        _require(blocks <= _MOST_BLOCKS, f"more than {_MOST_BLOCKS:,} blocks")


def _measure_colours(flags: int) -> int:
    """Return the length of a GIF's colour table, as stated by the flags before it."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _check_tiff(data: bytes, max_pixels: int) -> None:
    pages = list_pages(data)
    first = next(pages, None)
    if first is None:
        return
    _require(first.parts <= _MOST_STRIPS, f"{first.parts:,} strips, tiles or tags, more than {_MOST_STRIPS:,}")
    if not first.width * first.height:
        return  # the decoder will report it
    _require(first.tile_pixels <= max(max_pixels, _MOST_IN_TILE), f"a tile of {first.tile_pixels:,} pixels")
    for page in pages:
        _require(page.width > 0 and page.height > 0, "a further page that cannot be read")
        _require_one(page.is_preview_of(first))


def _check_jpeg2000(data: bytes, max_pixels: int) -> None:
    size = data.find(b"\xff\x4f\xff\x51") + 8  # start of the code stream and of its SIZ segment
    width, height, left, top, tile_width, tile_height = (
        int.from_bytes(data[at : at + 4]) for at in range(size, size + 24, 4)
    )
    if size >= 8 and tile_width and tile_height:
        tiles = -(-(width - left) // tile_width) * -(-(height - top) // tile_height)
        _require(tiles <= _MOST_TILES, f"more than {_MOST_TILES:,} tiles")


def _check_ppm(data: bytes, max_pixels: int) -> None:
    if len(data) > _MOST_HEADER:
        fields = re.sub(rb"#[^\r\n]*", b"", data[:_MOST_HEADER]).split(maxsplit=_HEADER_FIELDS)
        _require(len(fields) >= _HEADER_FIELDS, f"a header of more than {_MOST_HEADER:,} bytes")
    if data.startswith((b"P1", b"P2", b"P3")):
        _require(data.count(b"#") <= _MOST_COMMENTS, f"more than {_MOST_COMMENTS:,} comments")


def _require(sound: bool, fault: str) -> None:
    if not sound:
        raise StructureError(f"truncated or damaged: it has {fault}")


def _require_one(single: bool) -> None:
    if not single:
        raise StructureError("several frames: an animation or a stack, of which nobody knows the one that is meant")


_CHECKS: dict[bytes | tuple[bytes, ...], Callable[[bytes, int], None]] = {
    b"\xff\xd8\xff": _check_jpeg,
    b"\x89PNG\r\n\x1a\n": _check_png,
    (b"GIF87a", b"GIF89a"): _check_gif,
    TIFF_BEGINNINGS: _check_tiff,
    (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP"): _check_jpeg2000,
    tuple(b"P%c" % kind for kind in b"0123456fy"): _check_ppm,
}
