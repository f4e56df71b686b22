"""Files of a source of images, listed and read within bounds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from unicodedata import category, normalize

from leukoscope.images.listing import Rows

ReadFile = Callable[[str], bytes]

LINKED_FOLDER = "symbolic link to a folder, which is not followed"
# What systems leave in folders: resource forks, thumbnails, settings, waste.
_CLUTTER = {
    "__macosx",
    "@eadir",
    "#recycle",
    "$recycle.bin",
    "system volume information",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
}
MOST_LEVELS = 64  # of folders: no data set has as many, and a hostile one may have thousands
TOO_DEEP = f"below more than {MOST_LEVELS} folders, which are not looked into"


class FoundFile(NamedTuple):
    """One file of a source, not yet read.

    Attributes:
        path: Posix path relative to the source's root, spelled as on disk.
        size: Bytes, uncompressed.
        stamp: Changes when the content does: mtime in nanoseconds, or the CRC of a zip entry.
        refused: Why the file must not be read, or None.
    """

    path: str
    size: int
    stamp: int
    refused: str | None = None

    @property
    def leaves_root(self) -> bool:
        """Whether the path points outside the root, as a hostile archive's may."""
        return leaves_root(self.path)


class ImageSource(ABC):
    """Files below one root, listed but not read. Holds no open handle, so that it is cheap to pickle."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    @cached_property
    def files(self) -> Rows[FoundFile]:
        """All files but hidden ones, sorted by path, those that must not be read among them."""
        return Rows(self._list(), FoundFile)

    @abstractmethod
    def _list(self) -> Iterable[FoundFile]:
        """List the files in any order."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[ReadFile]:
        """Open the source; gives a function from path to content, safe to call from several threads."""


def leaves_root(path: str) -> bool:
    """Tell whether a path points outside the root that it is relative to."""
    return path.startswith("/") or path[1:2] == ":" or (".." in path and ".." in path.split("/"))


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is none of the user's: its name begins with a dot, or a system has made it."""
    return name.startswith(".") or name.casefold() in _CLUTTER


def is_printable(name: str) -> bool:
    """Tell whether a name can stand in a log or table: spaces of any width may be in it, control characters not."""
    return name.isprintable() or all(letter.isprintable() or category(letter) == "Zs" for letter in name)


def make_printable(name: str) -> str:
    """Give a name with a replacement character for each that cannot be printed."""
    return "".join(character if is_printable(character) else "\ufffd" for character in name)


def compose(name: str) -> str:
    """Give a name in one spelling (Unicode NFC): macOS takes letters and accents apart, other systems do not."""
    return name if name.isascii() else normalize("NFC", name)


def compose_all(names: list[str]) -> list[str]:
    """Give many names in that spelling."""
    return names if "".join(names).isascii() else list(map(compose, names))


def show_name(name: str) -> str:
    """Give a name for a message: in quotes where spaces at its ends, or what cannot be printed, must show."""
    return name if name and name == name.strip() and name.isprintable() else repr(name)
