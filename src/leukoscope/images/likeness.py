"""Whether two images show the same, by the details in their pixels."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

View = Callable[[int], np.ndarray]

# Sides of the reduced images, and the blur, in their pixels, that is taken from them: what is left are details.
_COARSE = 32
_FINE = 64
_BLUR = 2.0
# Correlations of details. Fields that were shot twice, out of focus the second time or a little beside: 0.62 and more;
# other fields: 0.36 at the most, and 0.64 where few large cells fill them, whose hashes are 70 bits apart and more.
# Single cells on a plain background: up to 0.92, since outlines are alike, and up to 0.74 by finer details, of which
# copies keep 0.95.
_SAME_FIELD = 0.6
_SAME_OUTLINE = 0.8
_SAME_CELL = 0.85
# Part of the picture that holds 95 % of the details' energy: fields of cells 0.32 to 0.67, single cells 0.09 to 0.33;
# fields of few large cells lie between.
_ENERGY = 0.95
_SINGLE = 0.35
_CHUNK = 1024


class _Details(NamedTuple):
    """What an image is compared by.

    Attributes:
        by_side: Details of the image reduced to so many pixels a side, ``float16 [side * side]``.
        single: Whether they are in one place.
    """

    by_side: dict[int, np.ndarray]
    single: bool


class Likeness:
    """Compares images by their details: what is the same in copies that are recompressed, resized or brighter.

    Correlates the green channel, reduced to 32 pixels a side, less its blur. Where all details are in one place, as
    with a single cell on a plain background, its outline alone makes images alike, and they must agree at 64 pixels
    too. The thresholds were chosen from real and drawn fields, and drawn cells on black and white; see ADR 17.

    Args:
        view: Gives an image, ``uint8 [height, width, 3]``, by its number. Each is looked at once, if at all; what is
            kept of it is 10 KB.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._details: dict[int, _Details] = {}

    def compare(self, left: np.ndarray, right: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Say which pairs of images show the same.

        Args:
            left: Numbers of images, ``int [m]``.
            right: Numbers of others, ``int [n]``.
            candidates: Which pairs are in question, ``bool [m, n]``.

        Returns:
            Those of the candidates that show the same, ``bool [m, n]``.
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
    """Give the details as a vector of length 1, ``float32 [side * side]``; zeros where there are none."""
    from scipy.ndimage import gaussian_filter

    small = np.asarray(green.resize((side, side), Image.Resampling.BOX), dtype=np.float32)
    details = (small - gaussian_filter(small, _BLUR)).ravel()
    details -= details.mean()
    return details / max(np.linalg.norm(details), 1e-6)


def _is_in_one_place(details: np.ndarray) -> bool:
    energy = np.cumsum(np.sort(details**2)[::-1])
    return bool(np.searchsorted(energy, _ENERGY * energy[-1]) < _SINGLE * len(energy))
