"""Find the cells of many fields on all cores, and cache the results by the fields' content."""

import json
import logging
import zlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from leukoscope.cells import classical
from leukoscope.cells.description import COLUMNS, describe_cells
from leukoscope.cells.detector import detect, load_detector
from leukoscope.core.cache import ContentCache, identify_content
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.spreading import FEW, spread

logger = logging.getLogger(__name__)

_SAMPLE = 100  # fields from which the diameter is estimated


def estimate_diameter(pixels: np.ndarray, rows: np.ndarray) -> float:
    """Estimate the diameter of a typical leukocyte: the median over evenly sampled fields.

    Args:
        pixels: ``uint8 [n, height, width, 3]``, RGB.
        rows: Which fields may be sampled, ``[fields]``.

    Returns:
        The diameter in whole pixels, so that adding a field rarely changes the cells of all others.

    Raises:
        InputError: No field has anything stained like nuclei.
    """
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int))]
    by_key = {b"%d" % row: row for row in chosen}
    diameters = [diameter for part in spread(classical.measure_diameter, pixels, by_key) for diameter in part.values()]
    known = [diameter for diameter in diameters if diameter is not None]
    if not known:
        raise InputError(
            f"No field, of {len(chosen)} looked at, has anything that is stained as nuclei are, so that the size of a "
            f"leukocyte cannot be estimated. Expected smears in a Romanowsky stain, such as Wright's or Giemsa's; "
            f"of others give cells.diameter in pixels, and a cells.detector of your own."
        )
    return float(max(2, round(float(np.median(known)))))


def find_cells(
    pixels: np.ndarray,
    rows: np.ndarray,
    detector: str,
    diameter: float,
    cache: ContentCache | None = None,
    keep: bool = True,
) -> list[list[dict[str, Any]]]:
    """Find the cells of fields that are not in the cache, on all cores if there are many.

    Args:
        pixels: ``uint8 [n, height, width, 3]``, RGB.
        rows: Which fields to search, ``[fields]``.
        detector: A detector's name, as in ``load_detector``.
        diameter: Diameter of a typical leukocyte, in pixels.
        cache: Cache of the cells found before.
        keep: Whether to store new results in it.

    Returns:
        For each field its cells, as from ``describe_cells``.

    Raises:
        InputError: There is no such detector, or it violates its contract.
    """
    load_detector(detector)
    way = fingerprint_facts([classical.FORMAT, COLUMNS, detector, diameter])
    keys = [identify_content(pixels[row], way) for row in rows]
    known = _read(cache.find(keys)) if cache else {}
    missing = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    if known and missing:
        logger.info("Cells of %d of %d fields are known", sum(key in known for key in keys), len(rows))
    done = 0
    for part in spread(partial(_describe, detector=detector, diameter=diameter), pixels, missing):
        known |= _read(part)
        done += len(part)
        if cache and keep:
            cache.keep(part)
        if len(missing) > FEW:
            logger.info("Found the cells of %d of %d fields", done, len(missing))
    return [known[key] for key in keys]


def _read(kept: Mapping[bytes, bytes]) -> dict[bytes, list[dict[str, Any]]]:
    """Read the cells of fields; cells of damaged entries are found again."""
    known = {}
    for key, content in kept.items():
        try:
            known[key] = json.loads(zlib.decompress(content))
        except (zlib.error, ValueError, TypeError):
            logger.warning("What was kept of a field's cells is damaged; they are found anew")
    return known


def _describe(image: np.ndarray, detector: str, diameter: float) -> bytes:
    entries = describe_cells(image, detect(detector, image, diameter), diameter)
    return zlib.compress(json.dumps(entries).encode())
