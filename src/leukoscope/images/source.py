"""A folder or zip archive of images: what is in it, and where its class folders are."""

from __future__ import annotations

import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from leukoscope.errors import InputError

ReadFile = Callable[[str], bytes]

_PREFERRED_PARENT = "Original"
# Segmented masks are no smears, and __MACOSX mirrors a zip's folders with resource forks.
_IGNORED_PARENTS = {"Segmented", "__MACOSX"}
_FOLDERS_SHOWN = 8
_ENCRYPTED = 0x1


class FoundFile(NamedTuple):
    """One file of a source, not yet read.

    Attributes:
        path: Posix path relative to the source's root.
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
        return self.path.startswith("/") or self.path[1:2] == ":" or ".." in self.path.split("/")


class NamedFile(NamedTuple):
    """A found file with its identity.

    Attributes:
        image_id: Path below the class folders' parent, or else below the root, without suffix; unique in the source.
        label: Name of the class folder that the file lies in, or None.
        file: The file itself.
    """

    image_id: str
    label: str | None
    file: FoundFile


class ImageSource(ABC):
    """Files below one root, listed but not read. Holds no open handle, so that it is cheap to pickle."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    @cached_property
    def files(self) -> list[FoundFile]:
        """All files, sorted by path, those that must not be read among them."""
        return sorted(self._list(), key=lambda file: file.path)

    @abstractmethod
    def _list(self) -> Iterable[FoundFile]:
        """List the files in any order."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[ReadFile]:
        """Open the source; gives a function from path to content, safe to call from several threads."""


class FolderSource(ImageSource):
    """Files of a folder. No symbolic link is followed out of it."""

    def _list(self) -> Iterator[FoundFile]:
        try:
            os.scandir(self.root).close()
        except OSError as error:
            raise InputError(
                f"The folder of images {self.root} cannot be listed: {error.strerror}. "
                "Expected a folder that this user may read: change its permissions or choose another."
            ) from error
        return self._walk("")

    def _walk(self, folder: str) -> Iterator[FoundFile]:
        try:
            entries = list(os.scandir(self.root / folder))
        except OSError as error:
            yield FoundFile(folder, 0, 0, f"unreadable folder: {error.strerror}")
            return
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if not name.isprintable():
                shown = name.encode(errors="surrogateescape").decode(errors="replace")
                yield FoundFile(shown, 0, 0, "name that is not printable UTF-8")
            elif entry.is_dir(follow_symlinks=False):
                yield from self._walk(name)
            else:
                yield self._find(name, entry)

    def _find(self, name: str, entry: os.DirEntry[str]) -> FoundFile:
        try:
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self.root.resolve()):
                return FoundFile(name, 0, 0, "symbolic link that leads out of the folder")
            facts = entry.stat()
        except (OSError, RuntimeError) as error:
            return FoundFile(name, 0, 0, f"unreadable: {getattr(error, 'strerror', None) or error}")
        # A linked folder may contain itself, and reading a pipe would wait for ever.
        refused = None if stat.S_ISREG(facts.st_mode) else "not a regular file"
        return FoundFile(name, facts.st_size, facts.st_mtime_ns, refused)

    @contextmanager
    def reading(self) -> Iterator[ReadFile]:
        """Give a function from path to content."""
        root = str(self.root)

        def read(path: str) -> bytes:
            with open(f"{root}/{path}", "rb", buffering=0) as file:
                return file.readall()

        yield read


class ZipSource(ImageSource):
    """Entries of a zip archive, never unpacked to disk.

    Raises:
        InputError: The archive's directory is damaged.
    """

    def _list(self) -> Iterator[FoundFile]:
        with self._open() as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        seen: set[str] = set()
        for entry in entries:
            # zipfile turns neither backslashes nor drive letters of Windows archivers into posix.
            path = entry.filename.replace("\\", "/")
            file = FoundFile(path, entry.file_size, entry.CRC)
            yield file._replace(refused=_why_refused(entry, file, path in seen))
            seen.add(path)

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.root)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(
                f"The archive of images {self.root} cannot be opened: {error}. "
                "Expected an intact zip file: download it again, or unpack it and give the folder."
            ) from error

    @contextmanager
    def reading(self) -> Iterator[ReadFile]:
        """Open the archive; gives a function from path to content."""
        with self._open() as archive:
            # The first of several entries with one name is the one that is read, as listed.
            entries = {entry.filename.replace("\\", "/"): entry for entry in reversed(archive.infolist())}
            yield lambda path: archive.read(entries[path])


def _why_refused(entry: zipfile.ZipInfo, file: FoundFile, repeated: bool) -> str | None:
    if file.leaves_root:
        return "zip entry that points outside the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "symbolic link in a zip"
    if entry.flag_bits & _ENCRYPTED:
        return "encrypted zip entry"
    if file.path.lower().endswith(".zip"):
        return "zip inside a zip"
    return "second zip entry of the same name" if repeated else None


class FileSource(FolderSource):
    """One file of a folder, whose root is the folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self.path = path

    def _list(self) -> Iterator[FoundFile]:
        facts = self.path.stat()
        yield FoundFile(self.path.name, facts.st_size, facts.st_mtime_ns)


def open_source(path: Path, parameter: str = "raw_images") -> ImageSource:
    """Recognise a folder or a zip archive; reads no file of it.

    Args:
        path: Where it is.
        parameter: What sets the path, for the message.

    Raises:
        InputError: There is nothing at the path, or neither a folder nor a zip archive.
    """
    expected = (
        f"Expected a folder or a zip that holds one folder of images a class: give it with --params {parameter}=PATH."
    )
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise InputError(f"There are no images at {path}. {expected}")
    if _is_zip(path):
        return ZipSource(path)
    raise InputError(f"The images at {path} are neither a folder nor a zip. {expected}")


def open_any(path: Path, parameter: str = "images") -> ImageSource:
    """Recognise a folder, a zip archive or a single image, with or without class folders; reads no file of it.

    Args:
        path: Where it is.
        parameter: What sets the path, for the message.

    Raises:
        InputError: There is nothing at the path.
    """
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise InputError(
            f"There is no image at {path}. Expected an image, or a folder or zip of images: give it with "
            f"--params {parameter}=PATH."
        )
    return ZipSource(path) if _is_zip(path) else FileSource(path)


def _is_zip(path: Path) -> bool:
    return path.is_file() and (zipfile.is_zipfile(path) or path.suffix.lower() == ".zip")


def label_files(source: ImageSource, class_names: Sequence[str]) -> list[NamedFile]:
    """Find the class folders and give every file below their parent its id and its label.

    Entries that point outside the source have no place below any folder, and are kept so that they are reported.

    Returns:
        The files sorted by path. Of those that differ by suffix only, all but the first keep the suffix in the id.

    Raises:
        InputError: No class folder, several sets of them, or a class without any file.
    """
    parent = _find_parent(source, class_names)
    # One string a class, not one a file.
    names = {name: name for name in class_names}
    taken: set[str] = set()
    labelled = []
    for file in source.files:
        if not (file.leaves_root or parent == "." or file.path.startswith(f"{parent}/")):
            continue
        below = file.path if file.leaves_root or parent == "." else file.path[len(parent) + 1 :]
        first, _, rest = below.partition("/")
        label = names.get(first) if rest else None
        refused = file.refused or (None if label else "not inside a class folder")
        labelled.append(NamedFile(_unique_id(below, taken), label, file._replace(refused=refused)))
    _require_every_class({item.label for item in labelled}, class_names, f"{source.root}, in {parent!r}")
    return labelled


def name_files(source: ImageSource) -> list[NamedFile]:
    """Give every file below the root its id, and none a label, whatever folder it lies in.

    Returns:
        The files sorted by path, with ids as of ``label_files``; hidden files, and those of __MACOSX, are left out.

    Raises:
        InputError: There is no file at all.
    """
    taken: set[str] = set()
    named = [
        NamedFile(_unique_id(file.path, taken), None, file)
        for file in source.files
        if file.leaves_root
        or isinstance(source, FileSource)
        or not any(part.startswith((".", "__MACOSX")) for part in file.path.split("/"))
    ]
    if not named:
        raise InputError(f"{source.root} holds no file. Expected one image or more, at any depth.")
    return named


def _unique_id(path: str, taken: set[str]) -> str:
    image_id = os.path.splitext(path)[0]
    while image_id in taken:
        image_id = path if path not in taken else f"{image_id}+"
    taken.add(image_id)
    return image_id


def _find_parent(source: ImageSource, class_names: Sequence[str]) -> str:
    """Give the folder that holds the class folders, relative to the root (``"."``: the root itself)."""
    folders = _folders(source.files)
    parents = {
        folder.parent
        for folder in folders
        if folder.name in class_names
        and not _IGNORED_PARENTS & set(folder.parts)
        and not any(name in class_names for name in folder.parent.parts)
    }
    if len(parents) > 1:
        preferred = {parent for parent in parents if parent.name == _PREFERRED_PARENT}
        parents = preferred or parents
    if not parents:
        raise InputError(
            f"{source.root} holds no class folder. Expected folders named {', '.join(class_names)}; "
            f"there {_name_folders(folders)}. Rename them, set class_names, or give another path."
        )
    if len(parents) > 1:
        raise InputError(
            f"{source.root} holds several sets of class folders: in {', '.join(sorted(map(str, parents)))}. "
            f"Expected one, or one named {_PREFERRED_PARENT}: give the path of the one that is meant."
        )
    return str(parents.pop())


def _folders(files: Iterable[FoundFile]) -> set[PurePosixPath]:
    direct = map(PurePosixPath, {file.path.rpartition("/")[0] for file in files if not file.leaves_root})
    return {folder for path in direct for folder in (path, *path.parents)} - {PurePosixPath()}


def _name_folders(folders: set[PurePosixPath]) -> str:
    if not folders:
        return "is no folder with files"
    names = sorted(map(str, folders))
    more = len(names) - _FOLDERS_SHOWN
    return f"are {', '.join(names[:_FOLDERS_SHOWN])}" + (f" and {more} more" if more > 0 else "")


def _require_every_class(found: set[str | None], class_names: Sequence[str], place: str) -> None:
    missing = [name for name in class_names if name not in found]
    if missing:
        raise InputError(
            f"No file for the class {', '.join(missing)} at {place}. Expected one folder with images for each of "
            f"{', '.join(class_names)}: add the missing ones, or take them out of class_names."
        )
