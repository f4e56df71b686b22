import numpy as np
import pytest

from leukoscope.cells.judging import Tally, match, measure_box_overlaps


def paint(*squares) -> np.ndarray:
    """Number squares, each given as row, column and side."""
    cells = np.zeros((60, 60), np.int32)
    for number, (row, column, side) in enumerate(squares, start=1):
        cells[row : row + side, column : column + side] = number
    return cells


def count(truth, detected) -> Tally:
    tally = Tally()
    tally.add_field(truth, truth, detected)
    return tally


def test_cells_are_found_missed_and_made_up():
    truth = paint((5, 5, 10), (5, 30, 10), (40, 5, 10))
    tally = count(truth, paint((5, 5, 10), (7, 30, 10), (40, 40, 10)))
    assert (tally.found, tally.missed, tally.wrong) == (2, 1, 1)
    assert tally.overlaps == pytest.approx([1, 80 / 120])
    assert (tally.precision, tally.recall) == (2 / 3, 2 / 3)


def test_a_cell_in_two_pieces_is_found_once_at_most():
    halves = paint((5, 5, 10))
    halves[5:15, 11:15] = 2
    tally = count(paint((5, 5, 10)), halves)
    assert (tally.found, tally.wrong) == (1, 1)
    assert count(paint((5, 5, 10)), paint((5, 5, 20))).found == 0  # a quarter is common


def test_cells_that_touch_are_parted_if_each_has_a_mask_of_its_own():
    truth = paint((5, 5, 10), (5, 15, 10), (40, 40, 10))
    assert (count(truth, truth).touching, count(truth, truth).parted) == (1, 1)
    together = np.where(truth == 2, 1, truth)
    assert count(truth, together).parted == 0
    assert count(truth, np.where(truth == 2, 0, truth)).parted == 0


def test_a_sliver_at_the_edge_counts_neither_way():
    truth = paint((5, 5, 10), (30, 30, 10))
    truth[20:30, 58:] = 3
    found = count(truth, truth)
    assert (found.found, found.missed, found.wrong) == (2, 0, 0)
    missed = count(truth, np.where(truth == 3, 0, truth))
    assert (missed.found, missed.missed) == (2, 0)


def test_boxes_match_one_to_one():
    boxes = np.array([[0, 0, 10, 10], [20, 20, 40, 40]])
    tally = Tally()
    tally.add_boxes(boxes, np.array([[1, 0, 11, 10], [0, 1, 10, 11], [20, 20, 40, 31]]))
    assert (tally.found, tally.missed, tally.wrong) == (2, 0, 1)
    tally.add_boxes(np.empty((0, 4)), np.array([[0, 0, 5, 5]]))
    tally.add_boxes(np.array([[0, 0, 5, 5]]), np.empty((0, 4)))
    assert (tally.found, tally.missed, tally.wrong) == (2, 1, 2)
    assert measure_box_overlaps(boxes, boxes).tolist() == [[1, 0], [0, 1]]


def test_the_largest_overlap_is_matched_first():
    assert match(np.array([[0, 0, 0], [0, 0.6, 0.9], [0, 0.5, 0.8]])) == {1: 2, 2: 1}
