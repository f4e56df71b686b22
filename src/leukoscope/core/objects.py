"""Files in an object store (S3), with the few methods of ``pathlib.Path`` that parts of work need.

Endpoint, region and keys come from the environment, as for any other program; they are never part of a configuration
or sent to a worker.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from leukoscope.core.errors import InputError, shorten
from leukoscope.core.fingerprint import fingerprint_facts

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import FileSystem

SCHEME = "s3://"
_ADDRESS = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s?#@]+)*/?")
_SECONDS_TO_CONNECT = 10
_SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class ObjectPath:
    """A file or folder in an object store.

    Attributes:
        address: An address like ``s3://bucket/folder/file``.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> "ObjectPath":
        """Return a file in this folder."""
        return ObjectPath(f"{self.address.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(self._key).name

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self._key).stem

    def absolute(self) -> "ObjectPath":
        """Return the path itself, which is always absolute."""
        return self

    def is_file(self) -> bool:
        """Return whether the file exists."""
        with self._telling():
            return bool(_connect().get_file_info(self._key).is_file)

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:
        """Find files in this folder by name, with one listing in pages of a thousand."""
        from pyarrow.fs import FileSelector

        with self._telling():
            listed = _connect().get_file_info(FileSelector(self._key, allow_not_found=True))
        return (self / file.base_name for file in listed if file.is_file and fnmatchcase(file.base_name, pattern))

    def read_bytes(self) -> bytes:
        """Read the whole file.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        with self._telling(), _connect().open_input_stream(self._key) as stream:
            return bytes(stream.readall())

    def open(self) -> "NativeFile":
        """Open the file for random access, fetching only the requested parts.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        with self._telling():
            return _connect().open_input_file(self._key)

    def read_text(self) -> str:
        """Read the file as text."""
        return self.read_bytes().decode()

    def write_bytes(self, content: bytes) -> None:
        """Write the file atomically: with one PUT, or beyond some megabytes as a multipart upload."""
        with self._telling(), _connect().open_output_stream(self._key) as stream:
            stream.write(content)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            with self._telling():
                _connect().delete_file(self._key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    @property
    def _key(self) -> str:
        return self.address.removeprefix(SCHEME).rstrip("/")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise InputError(
                f"{self.address} cannot be used: {shorten(' '.join(str(error).split()))}. Look at the bucket's name, "
                f"and at AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the keys where this runs. What was finished is kept."
            ) from error


Where = Path | ObjectPath


def place_parts(folder: Path, store: str | None) -> Where:
    """Return where to keep parts: in a local folder, or in a folder of an object store unique to it.

    Args:
        folder: The folder on this machine.
        store: The address of a folder that other projects and environments may share.
    """
    digest = fingerprint_facts(str(folder.absolute()))[:8]
    return folder if store is None else ObjectPath(store) / f"{folder.name.lstrip('.')}-{digest}"


def find_address_fault(address: str) -> str | None:
    """Return what is wrong with the address of a folder in an object store; ``None`` if it is valid."""
    if "@" in address or "?" in address:  # may be secret, so it is not shown
        return (
            "the address has a key or an option in it. Leave it out, and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
            "and AWS_ENDPOINT_URL where the command and the workers start"
        )
    return None if _ADDRESS.fullmatch(address) else f"'{address}' is no address like s3://bucket/folder"


def require_folder(address: str) -> None:
    """Check that a folder can be listed and written to, before anything is computed.

    Raises:
        InputError: The folder cannot be listed or written to.
    """
    probe = ObjectPath(address) / ".probe"
    probe.write_bytes(b"probe")  # some servers take an empty object of anybody
    if next(iter(ObjectPath(address).glob(probe.name)), None) is None:
        raise InputError(
            f"{address} can be written to, and does not list what was written. Give the keys the right to list it "
            f"(s3:ListBucket)."
        )
    probe.unlink(missing_ok=True)


def _connect() -> "FileSystem":
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return _connect_to(endpoint, region, os.environ.get("AWS_ACCESS_KEY_ID"))


@lru_cache(maxsize=2)
def _connect_to(endpoint: str, region: str | None, access_key: str | None) -> "FileSystem":
    """Connect; ``access_key`` only distinguishes cached connections, since Arrow reads it from the environment."""
    from pyarrow.fs import S3FileSystem

    parts = urlsplit(endpoint)
    beyond = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc  # which Arrow cannot use
    if endpoint and (beyond or not (parts.scheme in ("http", "https") and parts.netloc)):
        shown = "one with a key" if "@" in endpoint else repr(endpoint)
        raise InputError(
            f"AWS_ENDPOINT_URL is {shown}: expected an address like https://storage.example.org, with nothing behind it"
        )
    server = {"endpoint_override": parts.netloc, "scheme": parts.scheme} if endpoint else {}
    return S3FileSystem(
        region=region,
        allow_delayed_open=True,
        connect_timeout=_SECONDS_TO_CONNECT,
        request_timeout=_SECONDS_TO_ANSWER,
        **server,
    )
