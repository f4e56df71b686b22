import numpy as np
import pytest

from drawn_fields import Fields
from leukoscope.images.views import VIEWS, turn


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    return Fields().pixels[:3]


def test_the_symmetries_are_the_eight_of_the_square(fields):
    seen = [view(fields) for view in VIEWS["symmetries"]]
    assert np.array_equal(seen[0], fields)
    assert len({one.tobytes() for one in seen}) == 8
    # All of them are of the same pixels, and turning what was seen gives the same eight again.
    assert all(np.array_equal(np.sort(one, axis=None), np.sort(fields, axis=None)) for one in seen)
    assert {turn(one, 90).tobytes() for one in seen} == {one.tobytes() for one in seen}


def test_rotations_are_eight_by_45_degrees_each(fields):
    seen = [view(fields) for view in VIEWS["rotations"]]
    assert [one.shape for one in seen] == [fields.shape] * 8
    assert np.array_equal(seen[0], fields)
    for turned, further in zip(seen[:6], seen[2:], strict=True):
        difference = np.abs(np.rot90(turned, axes=(1, 2)).astype(int) - further)
        assert difference.max() <= 2  # of 255: interpolation rounds


def test_half_a_quarter_turn_keeps_the_centre_and_mirrors_what_is_outside():
    side = 65
    field = np.full((1, side, side, 3), 100, np.uint8)
    field[:, side // 2, side // 2 :] = 200  # a ray to the right
    turned = turn(field, 45)[0, :, :, 0]
    assert turned.min() == 100  # no black corners
    middle, along = side // 2, np.arange(2, 20)
    assert (turned[middle - along, middle + along] > 150).all()  # counterclockwise: up and right
    assert (turned[middle + along, middle + along] == 100).all()
