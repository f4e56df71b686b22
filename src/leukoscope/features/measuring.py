"""Measuring many fields on all cores, and keeping what was measured by the fields' content."""

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from leukoscope.features.fields import FEATURES, FORMAT, measure_field

logger = logging.getLogger(__name__)

# Fields that a core measures at a time, and up to how many no other process is worth starting.
_PART = 16
_FEW = 2 * _PART
_PARTS_AT_ONCE = 16  # that are kept, and told of in the log, together
_KEYS_AT_ONCE = 500
_WAIT = 60  # seconds for another run to let go of the file


class MeasurementStore:
    """Keeps what was measured of fields in one file, so that nothing is measured twice.

    It holds nothing that could not be measured again: where the file cannot be read or written, it is done without.

    Args:
        file: A database, which need not be there.
    """

    def __init__(self, file: Path) -> None:
        self.file = Path(file)

    def find(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Find what is known of fields.

        Args:
            keys: As ``identify_field`` gives them.

        Returns:
            ``float32`` in the order of ``FEATURES``, for each field that was measured before.
        """
        if not self.file.is_file():
            return {}
        found: dict[bytes, np.ndarray] = {}
        try:
            with closing(sqlite3.connect(self.file, timeout=_WAIT)) as database:
                for part in _list_parts(sorted(set(keys)), _KEYS_AT_ONCE):
                    marks = ",".join("?" * len(part))
                    rows = database.execute(f"SELECT field, measurements FROM fields WHERE field IN ({marks})", part)
                    found |= {key: np.frombuffer(values, np.float32) for key, values in rows}
        except (sqlite3.Error, ValueError) as error:
            self._do_without(error)
            return {}
        return {key: values for key, values in found.items() if len(values) == len(FEATURES)}

    def keep(self, measured: Mapping[bytes, np.ndarray]) -> None:
        """Keep what was measured, all of it or nothing.

        Args:
            measured: As ``find`` gives it.
        """
        rows = [(key, values.astype(np.float32).tobytes()) for key, values in measured.items()]
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=_WAIT)) as database, database:
                database.execute("CREATE TABLE IF NOT EXISTS fields (field BLOB PRIMARY KEY, measurements BLOB)")
                database.executemany("INSERT OR REPLACE INTO fields VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        logger.warning("What is measured of fields is not kept: %s, %s. Remove it if that goes on", self.file, error)


def identify_field(image: np.ndarray) -> bytes:
    """Hash the content of a field, ``uint8 [height, width, 3]``, and the format of what is measured of it."""
    digest = hashlib.blake2b(f"{FORMAT} {image.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def measure_fields(
    pixels: np.ndarray, rows: np.ndarray | None = None, store: MeasurementStore | None = None
) -> np.ndarray:
    """Measure fields that were not measured before, on all cores if they are many.

    Args:
        pixels: ``uint8 [n, height, width, 3]``, RGB.
        rows: Which of them; all by default.
        store: Knows what was measured before.

    Returns:
        ``float32 [rows, features]`` as ``measure_field`` gives them.
    """
    rows = np.arange(len(pixels)) if rows is None else np.asarray(rows)
    keys = [identify_field(pixels[row]) for row in rows]
    known = store.find(keys) if store else {}
    missing = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    done = 0
    for measured in _measure(pixels, missing):
        known |= measured
        done += len(measured)
        if store:
            store.keep(measured)
        if len(missing) > _FEW:
            logger.info("Measured %d of %d fields", done, len(missing))
    return np.array([known[key] for key in keys], np.float32).reshape(len(keys), len(FEATURES))


def _measure(pixels: np.ndarray, missing: Mapping[bytes, int]) -> Iterator[dict[bytes, np.ndarray]]:
    """Measure fields part by part; no more parts than twice the cores are in memory at once."""
    if len(missing) <= _FEW:
        if missing:
            yield {key: measure_field(pixels[row]) for key, row in missing.items()}
        return
    from joblib import Parallel, cpu_count, delayed

    keys = list(missing)
    parts = list(_list_parts(keys, _PART))
    images = (pixels[[missing[key] for key in part]] for part in parts)
    in_order = {"return_as": "generator", "pre_dispatch": "2*n_jobs", "batch_size": 1, "max_nbytes": None}
    measured = Parallel(n_jobs=cpu_count(), **in_order)(delayed(_measure_part)(part) for part in images)
    group: dict[bytes, np.ndarray] = {}
    for number, (part, values) in enumerate(zip(parts, measured, strict=True), start=1):
        group |= dict(zip(part, values, strict=True))
        if number % _PARTS_AT_ONCE == 0 or number == len(parts):
            yield group
            group = {}


def _list_parts(keys: Sequence[bytes], length: int) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + length] for start in range(0, len(keys), length))


def _measure_part(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [measure_field(image) for image in images]
