"""What was computed from contents and need not be computed again, in one file."""

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
_WAIT = 60  # seconds for another run to let go of the file


def identify_content(image: np.ndarray, how: str) -> bytes:
    """Hash an image's content, and how something is computed from it.

    Args:
        image: ``uint8 [height, width, 3]``.
        how: Whatever else decides on what comes of it.
    """
    digest = hashlib.blake2b(f"{how} {image.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def is_packed(pixels: np.ndarray) -> bool:
    """Tell whether images are of a packed array, in a file, and will be seen again.

    Others were changed, or decoded just now: what is computed of them is not worth to be kept.
    """
    return isinstance(pixels, np.memmap)


class ContentCache:
    """Keeps bytes by the hash of what they were computed from.

    It holds nothing that could not be computed again: where the file cannot be read or written, it is done without.

    Args:
        file: A database, which need not be there.
    """

    def __init__(self, file: Path) -> None:
        self.file = Path(file)

    def beside(self, name: str) -> Self:
        """Open a cache of another name in the same folder."""
        return type(self)(self.file.with_name(name))

    def find(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Find what is kept.

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
        """Keep what was computed, all of it or nothing.

        Args:
            computed: As ``find`` gives it.
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
