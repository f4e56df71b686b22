"""Evaluate cell detection against known cells, by masks or by boxes."""

from dataclasses import dataclass, field

import numpy as np
import scipy  # imports ndimage lazily, on first use

# The minimum intersection over union of a known and a detected cell for a match.
LEAST_OVERLAP = 0.5
# A cell cut by the field's edge is ignored if less of its nucleus is visible, relative to the field's typical nucleus.
_LEAST_SEEN = 0.4


@dataclass
class Tally:
    """Counts of detected and missed cells, over any number of fields.

    Attributes:
        found: Known cells that were detected.
        missed: Known cells that were not detected.
        wrong: Detections without a cell, or of a cell that was already detected.
        overlaps: The intersection over union of each detected cell.
        touching: Pairs of touching cells.
        parted: Pairs of touching cells in which each cell has its own mask.
    """

    found: int = 0
    missed: int = 0
    wrong: int = 0
    overlaps: list[float] = field(default_factory=list)
    touching: int = 0
    parted: int = 0

    @property
    def recall(self) -> float:
        """The share of known cells that were detected."""
        return self.found / max(1, self.found + self.missed)

    @property
    def precision(self) -> float:
        """The share of detections that are cells."""
        return self.found / max(1, self.found + self.wrong)

    @property
    def overlap(self) -> float:
        """The mean intersection over union of the detected cells."""
        return float(np.mean(self.overlaps)) if self.overlaps else float("nan")

    def add_field(self, cells: np.ndarray, nuclei: np.ndarray, detected: np.ndarray) -> None:
        """Count a field by masks.

        Args:
            cells: The cell number of each pixel, starting at 1, or 0, ``int32 [height, width]``.
            nuclei: The cell number of each pixel of a nucleus, in the same format.
            detected: The number of the detection at each pixel, in the same format.
        """
        table = count_common(cells, detected)
        counted = _list_counted(cells, nuclei)
        overlaps = measure_overlaps(table)
        pairs = match(overlaps)
        self.found += len(counted & set(pairs))
        self.missed += len(counted - set(pairs))
        self.overlaps += [float(overlaps[number, pairs[number]]) for number in sorted(counted & set(pairs))]
        for other in set(range(1, table.shape[1])) - set(pairs.values()):
            # Detections on an ignored cell are ignored too.
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
            detected: Left, top, right and bottom of each detection, ``[detections, 4]``.
        """
        overlaps = np.zeros((len(boxes) + 1, len(detected) + 1))
        overlaps[1:, 1:] = measure_box_overlaps(boxes, detected)
        pairs = match(overlaps)
        self.found += len(pairs)
        self.missed += len(boxes) - len(pairs)
        self.wrong += len(detected) - len(pairs)
        self.overlaps += [float(overlaps[pair]) for pair in pairs.items()]


def count_common(cells: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """Count the pixels that each cell shares with each detection; both are numbered from 1 on, 0 is neither."""
    table = np.zeros((cells.max(initial=0) + 1, detected.max(initial=0) + 1))
    np.add.at(table, (cells.ravel(), detected.ravel()), 1)
    return table


def match(overlaps: np.ndarray) -> dict[int, int]:
    """Match cells with detections, the largest overlap first.

    Args:
        overlaps: Intersection over union of each cell and each detection; the first row and column stand for none.

    Returns:
        The number of the detection for each detected cell's number, both from 1 on.
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
    """Compute the intersection over union of boxes of left, top, right and bottom, ``float [boxes, others]``."""
    boxes = np.reshape(boxes, (-1, 1, 4)).astype(float)
    others = np.reshape(others, (1, -1, 4)).astype(float)
    sides = np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(boxes[..., :2], others[..., :2])
    common = sides.clip(0).prod(axis=-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (boxes, others)]
    return common / (areas[0] + areas[1] - common)


def measure_overlaps(table: np.ndarray) -> np.ndarray:
    """Compute the intersection over union from a table of shared pixel counts."""
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table
    overlaps = table / np.maximum(union, 1)
    overlaps[0], overlaps[:, 0] = 0, 0
    return overlaps


def _list_counted(cells: np.ndarray, nuclei: np.ndarray) -> set[int]:
    """List the cells that are visible enough to be detected."""
    visible = np.bincount(nuclei.ravel(), minlength=cells.max(initial=0) + 1)
    visible[0] = 0
    if not visible.any():
        return set()
    edge = {*cells[0].tolist(), *cells[-1].tolist(), *cells[:, 0].tolist(), *cells[:, -1].tolist()}
    least = _LEAST_SEEN * np.median(visible[visible > 0])
    numbers = np.flatnonzero(visible).tolist()
    return {number for number in numbers if number not in edge or visible[number] >= least}
