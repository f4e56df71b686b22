"""Files at an object store (S3), by those few calls of ``pathlib.Path`` that parts of work need.

Endpoint, region and keys are those of the environment, as for any other program: nothing of them is in any
configuration, nor sent to a worker.
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
    """A file, or a folder, of an object store.

    Attributes:
        address: Like ``s3://bucket/folder/file``.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> "ObjectPath":
        """Give a file of this folder."""
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
        """Give itself, which means the same everywhere."""
        return self

    def is_file(self) -> bool:
        """Tell whether it is there."""
        with self._telling():
            return bool(_connect().get_file_info(self._key).is_file)

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:
        """Find files of this folder by name: one listing, whose pages have a thousand each."""
        from pyarrow.fs import FileSelector

        with self._telling():
            listed = _connect().get_file_info(FileSelector(self._key, allow_not_found=True))
        return (self / file.base_name for file in listed if file.is_file and fnmatchcase(file.base_name, pattern))

    def read_bytes(self) -> bytes:
        """Read all of it.

        Raises:
            FileNotFoundError: It is not there.
        """
        with self._telling(), _connect().open_input_stream(self._key) as stream:
            return bytes(stream.readall())

    def open(self) -> "NativeFile":
        """Open it for reading here and there, with no more than what is asked for.

        Raises:
            FileNotFoundError: It is not there.
        """
        with self._telling():
            return _connect().open_input_file(self._key)

    def read_text(self) -> str:
        """Read text."""
        return self.read_bytes().decode()

    def write_bytes(self, content: bytes) -> None:
        """Write it whole: by one PUT, or of more than some megabytes in pieces that become a file with the last."""
        with self._telling(), _connect().open_output_stream(self._key) as stream:
            stream.write(content)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove it."""
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
    """Give where parts are kept: in a folder, or in one at an object store that is of this folder alone.

    Args:
        folder: On this machine.
        store: The address of a folder, which other projects and environments may have too.
    """
    digest = fingerprint_facts(str(folder.absolute()))[:8]
    return folder if store is None else ObjectPath(store) / f"{folder.name.lstrip('.')}-{digest}"


def find_address_fault(address: str) -> str | None:
    """Find what is wrong with the address of a folder at an object store; ``None`` if nothing is."""
    if "@" in address or "?" in address:  # which may be secret, and is not shown
        return (
            "the address has a key or an option in it. Leave it out, and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
            "and AWS_ENDPOINT_URL where the command and the workers start"
        )
    return None if _ADDRESS.fullmatch(address) else f"'{address}' is no address like s3://bucket/folder"


def require_folder(address: str) -> None:
    """Make sure that a folder can be listed and written to, before anything is computed.

    Raises:
        InputError: It cannot.
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
    """Connect; ``access_key``, which Arrow takes from the environment itself, only tells connections apart."""
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
