"""Read the pages of a TIFF from its directories alone."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Self

_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # bytes of the integer types
_NEW_KIND = 254  # NewSubfileType
_OLD_KIND = 255  # SubfileType
_WIDTH = 256
_HEIGHT = 257
_TILE_WIDTH = 322
_TILE_HEIGHT = 323
_PARTS = (273, 279, 324, 325)  # offsets and lengths of strips and tiles
_REDUCED = 1  # bit of NewSubfileType
_OLD_REDUCED = 2  # value of SubfileType
# Longer chains are stacks, and longer directories are damage; real directories have a few dozen tags.
_MOST_PAGES = 64
_MOST_TAGS = 4096

_Order = Literal["little", "big"]


class Page(NamedTuple):
    """A page as described by its directory; missing values are 0.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        reduced: Whether it is marked as another page's preview.
        tile_pixels: Number of pixels in a tile.
        parts: Number of strips or tiles, or of tags if the directory cannot be read.
    """

    width: int
    height: int
    reduced: bool
    tile_pixels: int
    parts: int

    def is_preview_of(self, first: Self) -> bool:
        """Check whether it is a preview of the first page: smaller and marked as such, or at most half its sides."""
        smaller = self.width * self.height < first.width * first.height
        return (smaller and self.reduced) or max(self.width / first.width, self.height / first.height) <= 0.5


class _Layout(NamedTuple):
    """Sizes in bytes of the number of tags, a tag, and a tag's value, which differ between TIFF and BigTIFF."""

    number: int
    tag: int
    value: int


def list_pages(data: bytes) -> Iterator[Page]:
    """Yield each page once, in order, even if the chain of directories contains a loop.

    An unreadable directory yields a page without a size.
    """
    order: _Order = "little" if data.startswith(b"II") else "big"
    layout = _Layout(8, 20, 8) if data[2:3] == b"+" else _Layout(2, 12, 4)  # distinguished as in Pillow
    at = layout.value  # in both kinds, the position of the first directory's offset
    seen: set[int] = set()
    while True:
        start = int.from_bytes(data[at : at + layout.value], order)
        if start == 0 or start in seen:
            return
        seen.add(start)
        tags = int.from_bytes(data[start : start + layout.number], order)
        at = start + layout.number + tags * layout.tag
        if len(seen) > _MOST_PAGES or tags > _MOST_TAGS or at > len(data):
            yield Page(0, 0, False, 0, tags)
            return
        yield _read_page(data[start + layout.number : at], layout, order)


def _read_page(directory: bytes, layout: _Layout, order: _Order) -> Page:
    values: dict[int, int] = {}
    counts: dict[int, int] = {}
    for at in range(0, len(directory), layout.tag):
        tag, kind = (int.from_bytes(directory[start : start + 2], order) for start in (at, at + 2))
        field = at + layout.tag - layout.value
        counts.setdefault(tag, int.from_bytes(directory[at + 4 : field], order))
        values.setdefault(tag, int.from_bytes(directory[field : field + _SIZES.get(kind, 0)], order))
    return Page(
        values.get(_WIDTH, 0),
        values.get(_HEIGHT, 0),
        bool(values.get(_NEW_KIND, 0) & _REDUCED) or values.get(_OLD_KIND) == _OLD_REDUCED,
        values.get(_TILE_WIDTH, 0) * values.get(_TILE_HEIGHT, 0),
        max((counts.get(tag, 0) for tag in _PARTS), default=0),
    )
