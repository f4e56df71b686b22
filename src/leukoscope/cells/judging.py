"""How well cells are found where it is known where they are, by masks or by boxes."""

from dataclasses import dataclass, field

import numpy as np
import scipy  # which imports ndimage when it is first used

# Of what covers it and what was found, the part that is common to both must be this large.
LEAST_OVERLAP = 0.5
# A cell that the field's edge cuts counts neither way if less of its nucleus is seen, in typical nuclei of the field.
_LEAST_SEEN = 0.4


@dataclass
class Tally:
    """What was found of what is there, over any number of fields.

    Attributes:
        found: Cells that are there and were found.
        missed: Cells that are there and were not.
        wrong: What was found where there is no cell, or a second time.
        overlaps: Of each cell that was found, the intersection over the union.
        touching: Pairs of cells that touch.
        parted: Those of them of which each has a mask of its own.
    """

    found: int = 0
    missed: int = 0
    wrong: int = 0
    overlaps: list[float] = field(default_factory=list)
    touching: int = 0
    parted: int = 0

    @property
    def recall(self) -> float:
        """The share of the cells that were found."""
        return self.found / max(1, self.found + self.missed)

    @property
    def precision(self) -> float:
        """The share of what was found that is a cell."""
        return self.found / max(1, self.found + self.wrong)

    @property
    def overlap(self) -> float:
        """The mean intersection over union of the cells that were found."""
        return float(np.mean(self.overlaps)) if self.overlaps else float("nan")

    def add_field(self, cells: np.ndarray, nuclei: np.ndarray, detected: np.ndarray) -> None:
        """Count a field by masks.

        Args:
            cells: The number of the cell that each pixel is of, from 1 on, or 0, ``int32 [height, width]``.
            nuclei: The same of their nuclei.
            detected: The same of what was found.
        """
        table = count_common(cells, detected)
        counted = _list_counted(cells, nuclei)
        overlaps = measure_overlaps(table)
        pairs = match(overlaps)
        self.found += len(counted & set(pairs))
        self.missed += len(counted - set(pairs))
        self.overlaps += [float(overlaps[number, pairs[number]]) for number in sorted(counted & set(pairs))]
        for other in set(range(1, table.shape[1])) - set(pairs.values()):
            # What lies on a cell that counts neither way does not count either.
            lies_on = int(table[:, other].argmax())
            self.wrong += lies_on == 0 or lies_on in counted
        self._count_parted(cells, nuclei, detected, counted)

    def _count_parted(self, cells: np.ndarray, nuclei: np.ndarray, detected: np.ndarray, counted: set[int]) -> None:
        for number in sorted(counted):
            ring = scipy.ndimage.binary_dilation(cells == number, np.ones((3, 3))) & (cells != number)
            for other in counted & {*np.unique(cells[ring]).tolist()}:
                if other > number:
                    masks = [np.bincount(detected[nuclei == each]).argmax() for each in (number, other)]
                    self.touching += 1
                    self.parted += bool(masks[0] != masks[1] and all(masks))

    def add_boxes(self, boxes: np.ndarray, detected: np.ndarray) -> None:
        """Count a field by boxes.

        Args:
            boxes: Left, top, right and bottom of each cell, ``[cells, 4]``.
            detected: The same of what was found.
        """
        overlaps = np.zeros((len(boxes) + 1, len(detected) + 1))
        overlaps[1:, 1:] = measure_box_overlaps(boxes, detected)
        pairs = match(overlaps)
        self.found += len(pairs)
        self.missed += len(boxes) - len(pairs)
        self.wrong += len(detected) - len(pairs)
        self.overlaps += [float(overlaps[pair]) for pair in pairs.items()]


def count_common(cells: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """Count the pixels that each cell has in common with each that was found; both numbered from 1 on, 0 is neither."""
    table = np.zeros((cells.max(initial=0) + 1, detected.max(initial=0) + 1))
    np.add.at(table, (cells.ravel(), detected.ravel()), 1)
    return table


def match(overlaps: np.ndarray) -> dict[int, int]:
    """Match each cell with what was found of it, the largest overlap first.

    Args:
        overlaps: Intersection over union of each cell and each that was found; the first row and column are of none.

    Returns:
        The number of what was found, for the number of each cell that was, both from 1 on.
    """
    left = overlaps.copy()
    left[0], left[:, 0] = 0, 0
    pairs: dict[int, int] = {}
    while left.max(initial=0) >= LEAST_OVERLAP:
        cell, other = np.unravel_index(left.argmax(), left.shape)
        pairs[int(cell)] = int(other)
        left[cell], left[:, other] = 0, 0
    return pairs


def measure_box_overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give the intersection over the union of boxes of left, top, right and bottom, ``float [boxes, others]``."""
    boxes = np.reshape(boxes, (-1, 1, 4)).astype(float)
    others = np.reshape(others, (1, -1, 4)).astype(float)
    sides = np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(boxes[..., :2], others[..., :2])
    common = sides.clip(0).prod(axis=-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (boxes, others)]
    return common / (areas[0] + areas[1] - common)


def measure_overlaps(table: np.ndarray) -> np.ndarray:
    """Give the intersection over the union for a table of how many pixels each two have in common."""
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table
    overlaps = table / np.maximum(union, 1)
    overlaps[0], overlaps[:, 0] = 0, 0
    return overlaps


def _list_counted(cells: np.ndarray, nuclei: np.ndarray) -> set[int]:
    """List the cells of which enough is seen to be found."""
    visible = np.bincount(nuclei.ravel(), minlength=cells.max(initial=0) + 1)
    visible[0] = 0
    if not visible.any():
        return set()
    edge = {*cells[0].tolist(), *cells[-1].tolist(), *cells[:, 0].tolist(), *cells[:, -1].tolist()}
    least = _LEAST_SEEN * np.median(visible[visible > 0])
    numbers = np.flatnonzero(visible).tolist()
    return {number for number in numbers if number not in edge or visible[number] >= least}
