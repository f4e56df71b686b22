"""Which fields are read together by a network of single cells."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """Fields that are read together.

    Attributes:
        fields: Which, ``[fields]``.
        slots: Of each of their strips.
        rows: Strips in the batch, of which the last may be empty.
    """

    fields: np.ndarray
    slots: int
    rows: int


def plan_batches(cells: Sequence[int], most: int) -> Iterator[Batch]:
    """Group fields of about as many cells, so that a network is compiled for few shapes.

    Args:
        cells: How many each field has.
        most: Slots that a batch may have; a field of more cells is a batch by itself,
            and is encoded in parts.
    """
    slots = np.array([round_up(count) for count in cells])
    for number in np.unique(slots).tolist():
        fields = np.flatnonzero(slots == number)
        size = max(1, most // number)
        for start in range(0, len(fields), size):
            part = fields[start : start + size]
            yield Batch(part, number, size if len(fields) > size else min(size, round_up(len(part))))


def round_up(number: int) -> int:
    """Give the next power of two, 1 at least."""
    return 1 << max(0, number - 1).bit_length()
