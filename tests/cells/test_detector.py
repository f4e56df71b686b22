import numpy as np
import pytest

from leukoscope.cells.detector import detect, load_detector
from leukoscope.core.errors import InputError

IMAGE = np.zeros((6, 8, 3), np.uint8)


def find_corner(image, diameter):
    """A detector of a user's, whose numbers have gaps."""
    cells = np.zeros(image.shape[:2], np.uint16)
    cells[0, 0], cells[5, 7] = 9, int(diameter)
    return cells


def find_mask(image, diameter):
    return np.ones(image.shape[:2])


@pytest.fixture
def of_user(monkeypatch):
    """The name that this module can be imported by."""
    import sys

    monkeypatch.setitem(sys.modules, "a_users_detector", sys.modules[__name__])
    return "a_users_detector"


def test_a_function_of_the_users_finds_cells(of_user):
    cells = detect(f"{of_user}:find_corner", IMAGE, 4.0)
    assert cells.dtype == np.int32
    assert (cells[5, 7], cells[0, 0], cells.sum()) == (1, 2, 3)


def test_what_is_not_numbered_cells_is_refused(of_user):
    with pytest.raises(InputError, match=r"gave float64 \(6, 8\).*whole numbers"):
        detect(f"{of_user}:find_mask", IMAGE, 4.0)


@pytest.mark.parametrize("name", ["clasical", "no_such_module:find", "json:no_such_function", "json:__doc__", ":"])
def test_a_detector_that_is_not_there_is_refused(name):
    with pytest.raises(InputError, match=r"cells.detector is .*module:function"):
        load_detector(name)
