"""List and read the files of an image source within bounds."""

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
# Files and folders that operating systems leave behind: resource forks, thumbnails, settings, trash.
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
MOST_LEVELS = 64  # of folders: no real data set is this deep, while a hostile one may have thousands
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
        """Whether the path points outside the root, as in a hostile archive."""
        return leaves_root(self.path)


class ImageSource(ABC):
    """Files below one root, listed but not read. Holds no open handle, so it is cheap to pickle."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    @cached_property
    def files(self) -> Rows[FoundFile]:
        """All files except hidden ones, sorted by path, including those that must not be read."""
        return Rows(self._list(), FoundFile)

    @abstractmethod
    def _list(self) -> Iterable[FoundFile]:
        """List the files in any order."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[ReadFile]:
        """Open the source; yields a thread-safe function from path to content."""


def leaves_root(path: str) -> bool:
    """Check whether a path points outside the root that it is relative to."""
    return path.startswith("/") or path[1:2] == ":" or (".." in path and ".." in path.split("/"))


def is_hidden(name: str) -> bool:
    """Check whether a file or folder is not the user's: its name begins with a dot, or the system made it."""
    return name.startswith(".") or name.casefold() in _CLUTTER


def is_printable(name: str) -> bool:
    """Check whether a name can be shown in a log or table: spaces of any width are allowed, control characters not."""
    return name.isprintable() or all(letter.isprintable() or category(letter) == "Zs" for letter in name)


def make_printable(name: str) -> str:
    """Replace each unprintable character of a name with the replacement character."""
    return "".join(character if is_printable(character) else "\ufffd" for character in name)


def compose(name: str) -> str:
    """Normalise a name to Unicode NFC: macOS separates letters and accents, other systems do not."""
    return name if name.isascii() else normalize("NFC", name)


def compose_all(names: list[str]) -> list[str]:
    """Normalise many names like ``compose``."""
    return names if "".join(names).isascii() else list(map(compose, names))


def show_name(name: str) -> str:
    """Format a name for a message: quoted if it has leading or trailing spaces or unprintable characters."""
    return name if name and name == name.strip() and name.isprintable() else repr(name)
