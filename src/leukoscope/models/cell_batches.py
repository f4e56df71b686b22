"""Batches of fields for networks that read single cells."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """Fields that are read together.

    Attributes:
        fields: Indices of the fields, ``[fields]``.
        slots: Slots in each field's strip.
        rows: Strips in the batch; trailing ones may be empty.
    """

    fields: np.ndarray
    slots: int
    rows: int


def plan_batches(cells: Sequence[int], most: int) -> Iterator[Batch]:
    """Group fields with similar numbers of cells, so that a network is compiled for few shapes.

    Args:
        cells: Number of cells in each field.
        most: Maximum number of slots in a batch; a field with more cells forms its own batch
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
    """Return the next power of two, at least 1."""
    return 1 << max(0, number - 1).bit_length()
