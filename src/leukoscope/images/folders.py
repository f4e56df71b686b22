"""Images in a folder."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leukoscope.core.errors import InputError
from leukoscope.images.files import (
    LINKED_FOLDER,
    MOST_LEVELS,
    TOO_DEEP,
    FoundFile,
    ImageSource,
    ReadFile,
    is_hidden,
    is_printable,
    make_printable,
)


class FolderSource(ImageSource):
    """Files of a folder. Symbolic links that leave the folder or point to a folder are not followed."""

    def _list(self) -> Iterator[FoundFile]:
        try:
            os.scandir(self.root).close()
        except OSError as error:
            raise InputError(
                f"The folder of images {self.root} cannot be listed: {error.strerror}. "
                "Expected a folder that this user may read: change its permissions or choose another."
            ) from error
        return self._walk()

    def _walk(self, folder: str = "") -> Iterator[FoundFile]:
        """Yield the files of a folder and its subfolders, sorted by path: sorting millions afterwards takes memory."""
        try:
            with os.scandir(self.root / folder) as scanned:
                entries = [(entry, _is_folder(entry)) for entry in scanned if not is_hidden(entry.name)]
        except OSError as error:
            yield FoundFile(folder, 0, 0, f"unreadable folder: {error.strerror}")
            return
        for entry, is_folder in sorted(entries, key=lambda pair: f"{pair[0].name}/" if pair[1] else pair[0].name):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if not is_printable(name):
                yield FoundFile(make_printable(name), 0, 0, "name that is not printable UTF-8")
            elif not is_folder:
                yield self._find(name, entry)
            elif name.count("/") >= MOST_LEVELS:
                yield FoundFile(name, 0, 0, TOO_DEEP)
            else:
                yield from self._walk(name)

    def _find(self, name: str, entry: os.DirEntry[str]) -> FoundFile:
        try:
            if entry.is_symlink():
                if entry.is_dir():  # it may contain itself
                    return FoundFile(name, 0, 0, LINKED_FOLDER)
                if not Path(entry.path).resolve().is_relative_to(self.root.resolve()):
                    return FoundFile(name, 0, 0, "symbolic link that leads out of the folder")
            facts = entry.stat()
        except (OSError, RuntimeError) as error:
            return FoundFile(name, 0, 0, f"unreadable: {getattr(error, 'strerror', None) or error}")
        # Reading a pipe could block forever.
        refused = None if stat.S_ISREG(facts.st_mode) else "not a regular file"
        return FoundFile(name, facts.st_size, facts.st_mtime_ns, refused)

    @contextmanager
    def reading(self) -> Iterator[ReadFile]:
        """Yield a function from path to content."""
        root = str(self.root)

        def read(path: str) -> bytes:
            with open(f"{root}/{path}", "rb", buffering=0) as file:
                return file.readall()

        yield read


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # reported later, when it is treated as a file


class FileSource(FolderSource):
    """One file with any name; the root is its folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self.path = path

    def _list(self) -> Iterator[FoundFile]:
        facts = self.path.stat()
        yield FoundFile(self.path.name, facts.st_size, facts.st_mtime_ns)
