"""The pages of a TIFF, read from its directories alone."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Self

_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # bytes of the types that whole numbers have
_NEW_KIND = 254  # NewSubfileType
_OLD_KIND = 255  # SubfileType
_WIDTH = 256
_HEIGHT = 257
_TILE_WIDTH = 322
_TILE_HEIGHT = 323
_PARTS = (273, 279, 324, 325)  # offsets and lengths of strips and tiles
_REDUCED = 1  # bit of NewSubfileType
_OLD_REDUCED = 2  # value of SubfileType
# Longer chains are stacks, and longer directories damage; real ones have some dozen tags.
_MOST_PAGES = 64
_MOST_TAGS = 4096

_Order = Literal["little", "big"]


class Page(NamedTuple):
    """What a directory says of its page; 0 where it says nothing.

    Attributes:
        width: In pixels.
        height: In pixels.
        reduced: Whether it is marked as another page's preview.
        tile_pixels: Pixels of one tile.
        parts: Number of strips or tiles; of tags, where the directory cannot be read.
    """

    width: int
    height: int
    reduced: bool
    tile_pixels: int
    parts: int

    def is_preview_of(self, first: Self) -> bool:
        """Whether it is a small copy of the first page: marked so and smaller, or of half its sides at most."""
        smaller = self.width * self.height < first.width * first.height
        return (smaller and self.reduced) or max(self.width / first.width, self.height / first.height) <= 0.5


class _Layout(NamedTuple):
    """How many bytes a TIFF or a BigTIFF has for the number of tags, for a tag, and for a tag's value."""

    number: int
    tag: int
    value: int


def list_pages(data: bytes) -> Iterator[Page]:
    """Give the pages in their order, and each once, even if the chain of directories leads back to one.

    What cannot be read is a page without a size.
    """
    order: _Order = "little" if data.startswith(b"II") else "big"
    layout = _Layout(8, 20, 8) if data[2:3] == b"+" else _Layout(2, 12, 4)  # as Pillow tells them apart
    at = layout.value  # the place of the first directory's offset, in both kinds
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
