"""Images in a zip archive."""

import io
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

from leukoscope.core.errors import InputError
from leukoscope.images.files import (
    MOST_LEVELS,
    TOO_DEEP,
    FoundFile,
    ImageSource,
    ReadFile,
    is_hidden,
    is_printable,
    make_printable,
)

_ENCRYPTED = 0x1
_AES = 99
_LOCAL_HEADER = 30  # bytes of the fixed part of the header before each entry's content
# The only methods whose output size can be limited during decompression. Archivers use other methods only on request,
# except that Windows uses Deflate64 for files of 2 GB and more.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_OTHER_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 97: "WavPack", 98: "PPMd"}
_PIECE = 2**20
_LARGEST_DIRECTORY = 32 * 2**20  # bytes, for some 300,000 entries


class _Archive(io.BufferedReader):
    """An archive file that refuses to read a directory too large for memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile(f"its directory has {size:,} bytes, more than {_LARGEST_DIRECTORY:,}")
        return super().read(size)


class ZipSource(ImageSource):
    """Entries of a zip archive, never unpacked to disk.

    Raises:
        InputError: The archive's directory is damaged.
    """

    def _list(self) -> Iterator[FoundFile]:
        with self._open() as archive:
            entries = archive.infolist()
        overlapping = _find_overlapping(entries)
        seen: set[str] = set()
        for entry in entries:
            path = _posix_path(entry)
            file = FoundFile(path, entry.file_size, entry.CRC)
            if entry.is_dir() or (not file.leaves_root and any(map(is_hidden, path.split("/")))):
                continue
            if not is_printable(path):
                yield file._replace(path=make_printable(path), refused="name that is not printable")
            else:
                shared = entry.header_offset in overlapping
                yield file._replace(refused=_why_refused(entry, file, path in seen, shared))
            seen.add(path)

    @contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        try:
            file = _Archive(io.FileIO(self.root))
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(
                f"The archive of images {self.root} cannot be opened: {error}. "
                "Expected an intact zip file: download it again, or unpack it and give the folder."
            ) from error
        with file, archive:
            yield archive

    @contextmanager
    def reading(self) -> Iterator[ReadFile]:
        """Open the archive; yields a function from path to content, which never exceeds the listed size."""
        with self._open() as archive:
            # Of several entries with the same name, the first is read, as listed.
            entries = {_posix_path(entry): entry for entry in reversed(archive.infolist())}

            def read(path: str) -> bytes:
                # Read in pieces: in a single call, zipfile inflates everything before it checks the stated size.
                with archive.open(entries[path]) as file:
                    return b"".join(iter(partial(file.read, _PIECE), b""))

            yield read


def _posix_path(entry: zipfile.ZipInfo) -> str:
    """Return an entry's posix path; zipfile converts neither backslashes nor drive letters of Windows archivers."""
    path = entry.filename.replace("\\", "/")
    return path if path.startswith("/") else "/".join(part for part in path.split("/") if part not in ("", "."))


def _find_overlapping(entries: Sequence[zipfile.ZipInfo]) -> set[int]:
    """Find the offsets of entries that overlap the next entry's bytes, as in a zip bomb."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    return {
        entry.header_offset
        for entry, following in pairwise(ordered)
        if entry.header_offset + _LOCAL_HEADER + entry.compress_size > following.header_offset
    }


def _why_refused(entry: zipfile.ZipInfo, file: FoundFile, repeated: bool, shared: bool) -> str | None:
    method = _OTHER_METHODS.get(entry.compress_type, f"method {entry.compress_type}")
    reasons = {
        "zip entry that points outside the archive": file.leaves_root,
        TOO_DEEP: file.path.count("/") > MOST_LEVELS,
        "symbolic link in a zip": stat.S_ISLNK(entry.external_attr >> 16),
        "encrypted zip entry: pack again without a password": entry.flag_bits & _ENCRYPTED
        or entry.compress_type == _AES,
        f"packed by {method}, which cannot be read: pack again as ordinary zip": entry.compress_type not in _METHODS,
        "zip inside a zip": file.path.lower().endswith(".zip"),
        "zip entry that shares its bytes with others": shared,
        "second zip entry of the same name": repeated,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)
