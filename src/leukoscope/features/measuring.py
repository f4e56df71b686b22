"""Measure many fields on all cores, and cache the measurements by the fields' content."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from leukoscope.core.cache import ContentCache, identify_content
from leukoscope.core.spreading import FEW, spread
from leukoscope.features.fields import FEATURES, FORMAT, measure_field

logger = logging.getLogger(__name__)


class MeasurementStore:
    """Caches measurements of fields in one file, so that nothing is measured twice.

    It holds nothing that could not be measured again: if the file cannot be read or written, it is ignored.

    Args:
        file: A database, which need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._cache = ContentCache(file)

    @property
    def file(self) -> Path:
        """The database."""
        return self._cache.file

    def find(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Look up known measurements of fields.

        Args:
            keys: Keys from ``identify_field``.

        Returns:
            ``float32`` in the order of ``FEATURES``, for each field that was measured before.
        """
        size = len(FEATURES) * np.dtype(np.float32).itemsize
        kept = self._cache.find(keys)
        whole = {key: values for key, values in kept.items() if isinstance(values, bytes) and len(values) == size}
        return {key: np.frombuffer(values, np.float32) for key, values in whole.items()}

    def keep(self, measured: Mapping[bytes, np.ndarray]) -> None:
        """Store measurements, all or none.

        Args:
            measured: Measurements in the format of ``find``.
        """
        self._cache.keep({key: values.astype(np.float32).tobytes() for key, values in measured.items()})


def identify_field(image: np.ndarray) -> bytes:
    """Hash the content of a field, ``uint8 [height, width, 3]``, and the format of its measurements."""
    return identify_content(image, str(FORMAT))


def measure_fields(
    pixels: np.ndarray, rows: np.ndarray | None = None, store: MeasurementStore | None = None, keep: bool = True
) -> np.ndarray:
    """Measure fields that were not measured before, on all cores if there are many.

    Args:
        pixels: ``uint8 [n, height, width, 3]``, RGB.
        rows: Which fields to measure; all by default.
        store: Cache of earlier measurements.
        keep: Whether to store new measurements in it.

    Returns:
        ``float32 [rows, features]``, as from ``measure_field``.
    """
    rows = np.arange(len(pixels)) if rows is None else np.asarray(rows)
    keys = [identify_field(pixels[row]) for row in rows]
    known = store.find(keys) if store else {}
    missing = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    done = 0
    for measured in spread(measure_field, pixels, missing):
        known |= measured
        done += len(measured)
        if store and keep:
            store.keep(measured)
        if len(missing) > FEW:
            logger.info("Measured %d of %d fields", done, len(missing))
    return np.array([known[key] for key in keys], np.float32).reshape(len(keys), len(FEATURES))
