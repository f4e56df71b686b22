"""A cache of results computed from image contents, in a single file."""

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

import numpy as np

logger = logging.getLogger(__name__)

_KEYS_AT_ONCE = 500
_WAIT = 60  # seconds to wait for another run to release the file


def identify_content(image: np.ndarray, how: str) -> bytes:
    """Hash an image's content together with how a result is computed from it.

    Args:
        image: ``uint8 [height, width, 3]``.
        how: Everything else that determines the result.
    """
    digest = hashlib.blake2b(f"{how} {image.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def is_packed(pixels: np.ndarray) -> bool:
    """Return whether images come from a packed array in a file, and will be used again.

    Other images were changed, or decoded just now; results computed from them are not worth caching.
    """
    return isinstance(pixels, np.memmap)


class ContentCache:
    """Stores bytes by the hash of the content they were computed from.

    Everything in it can be computed again, so a file that cannot be read or written is ignored.

    Args:
        file: The database file, which need not exist.
    """

    def __init__(self, file: Path) -> None:
        self.file = Path(file)

    def beside(self, name: str) -> Self:
        """Open a cache with another name in the same folder."""
        return type(self)(self.file.with_name(name))

    def find(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Look up stored results.

        Args:
            keys: Hashes of contents.
        """
        if not self.file.is_file():
            return {}
        kept: dict[bytes, bytes] = {}
        wanted = sorted(set(keys))
        try:
            with closing(sqlite3.connect(self.file, timeout=_WAIT)) as database:
                for start in range(0, len(wanted), _KEYS_AT_ONCE):
                    part = wanted[start : start + _KEYS_AT_ONCE]
                    marks = ",".join("?" * len(part))
                    kept |= database.execute(f"SELECT field, measurements FROM fields WHERE field IN ({marks})", part)
        except (sqlite3.Error, ValueError) as error:
            self._do_without(error)
            return {}
        return kept

    def keep(self, computed: Mapping[bytes, bytes]) -> None:
        """Store results, either all of them or none.

        Args:
            computed: Results by key, as returned by ``find``.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=_WAIT)) as database, database:
                database.execute("CREATE TABLE IF NOT EXISTS fields (field BLOB PRIMARY KEY, measurements BLOB)")
                database.executemany("INSERT OR REPLACE INTO fields VALUES (?, ?)", list(computed.items()))
        except (sqlite3.Error, OSError) as error:
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        logger.warning(
            "What was computed before is not kept: %s, %s. Remove the file if that goes on", self.file, error
        )
