"""Decide by the details of their pixels whether two images show the same content."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

View = Callable[[int], np.ndarray]

# Sides of the reduced images, and the blur in their pixels that is subtracted to leave only details.
_COARSE = 32
_FINE = 64
_BLUR = 2.0
# Correlations of details. Fields captured twice, the second time out of focus or slightly shifted: at least 0.62;
# different fields: at most 0.36, or 0.64 if few large cells fill them, whose hashes differ in at least 70 bits.
# Different single cells on a plain background: up to 0.92, since outlines are alike, and up to 0.74 by finer details,
# where copies keep 0.95.
_SAME_FIELD = 0.6
_SAME_OUTLINE = 0.8
_SAME_CELL = 0.85
# Share of the picture that holds 95 % of the details' energy: fields of cells 0.32 to 0.67, single cells 0.09 to 0.33;
# fields of few large cells lie in between.
_ENERGY = 0.95
_SINGLE = 0.35
_CHUNK = 1024


class _Details(NamedTuple):
    """The details by which an image is compared.

    Attributes:
        by_side: Details of the reduced image, by its side in pixels, ``float16 [side * side]``.
        single: Whether all details are in one place.
    """

    by_side: dict[int, np.ndarray]
    single: bool


class Likeness:
    """Compare images by their details, which copies keep when they are recompressed, resized or brightened.

    Correlates the green channel, reduced to 32 pixels a side, minus its blur. If all details are in one place, as for a
    single cell on a plain background, the outline alone makes images similar, so they must also agree at 64 pixels.
    The thresholds were chosen from real and drawn fields, and drawn cells on black and white; see ADR 17.

    Args:
        view: Returns an image, ``uint8 [height, width, 3]``, by its number. It is called at most once per image, of
            which 10 KB are kept.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._details: dict[int, _Details] = {}

    def compare(self, left: np.ndarray, right: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Find the pairs of images that show the same content.

        Args:
            left: Numbers of images, ``int [m]``.
            right: Numbers of the images to compare them with, ``int [n]``.
            candidates: The pairs to compare, ``bool [m, n]``.

        Returns:
            The candidates that show the same content, ``bool [m, n]``.
        """
        same = np.zeros_like(candidates)
        rows = np.flatnonzero(candidates.any(axis=1))
        columns = np.flatnonzero(candidates.any(axis=0))
        if len(rows):
            part = np.ix_(rows, columns)
            same[part] = self._compare_all(left[rows], right[columns]) & candidates[part]
        return same

    def _compare_all(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        alike = self._stack(left, _COARSE) @ self._stack(right, _COARSE).T
        single = self._are_single(left)[:, None] | self._are_single(right)
        same = alike >= np.where(single, np.float32(_SAME_OUTLINE), np.float32(_SAME_FIELD))
        rows, columns = np.nonzero(same & single)
        for start in range(0, len(rows), _CHUNK):
            row = rows[start : start + _CHUNK]
            column = columns[start : start + _CHUNK]
            details = self._stack(left[row], _FINE), self._stack(right[column], _FINE)
            same[row, column] = np.einsum("ij,ij->i", *details) >= _SAME_CELL
        return same

    def _stack(self, numbers: np.ndarray, side: int) -> np.ndarray:
        return np.stack([self._describe(number).by_side[side] for number in numbers.tolist()]).astype(np.float32)

    def _are_single(self, numbers: np.ndarray) -> np.ndarray:
        return np.array([self._describe(number).single for number in numbers.tolist()])

    def _describe(self, number: int) -> _Details:
        if number not in self._details:
            green = Image.fromarray(self._view(number)[:, :, 1])
            by_side = {side: _take_details(green, side) for side in (_COARSE, _FINE)}
            single = _is_in_one_place(by_side[_FINE])
            self._details[number] = _Details(
                {side: vectors.astype(np.float16) for side, vectors in by_side.items()}, single
            )
        return self._details[number]


def _take_details(green: Image.Image, side: int) -> np.ndarray:
    """Compute the details as a vector of unit length, ``float32 [side * side]``; zeros if there are none."""
    from scipy.ndimage import gaussian_filter

    small = np.asarray(green.resize((side, side), Image.Resampling.BOX), dtype=np.float32)
    details = (small - gaussian_filter(small, _BLUR)).ravel()
    details -= details.mean()
    return details / max(np.linalg.norm(details), 1e-6)


def _is_in_one_place(details: np.ndarray) -> bool:
    energy = np.cumsum(np.sort(details**2)[::-1])
    return bool(np.searchsorted(energy, _ENERGY * energy[-1]) < _SINGLE * len(energy))
