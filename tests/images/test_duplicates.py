import numpy as np
import pandas as pd
import pytest

from leukoscope.images import duplicates
from leukoscope.images.duplicates import group_duplicates


def show(number=0):
    """Give one field for every number, or another one for each."""
    return np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)


def group(digests, hashes, distance, view=lambda position: show()):
    digests, hashes = pd.Series(list(digests), dtype="str"), pd.Series(hashes, dtype="str")
    return group_duplicates(digests, hashes, distance, view).tolist()


def flip(value, bits):
    return f"{int(value, 16) ^ (2**bits - 1):064x}"


BASE = ["0" * 64, "f" * 64, "0f" * 32, "3c" * 32]


def test_identical_files_are_grouped_under_the_first():
    assert group(["a", "b", "a", "b", "c"], [*BASE, "5a" * 32], None) == [0, 1, 0, 1, 4]


def test_similar_hashes_are_grouped_up_to_the_distance():
    hashes = [BASE[0], flip(BASE[0], 5), flip(BASE[0], 40)]
    assert group("abc", hashes, 4) == [0, 1, 2]
    assert group("abc", hashes, 5) == [0, 0, 2]


def test_groups_join_through_a_common_member():
    assert group("abc", [BASE[0], flip(BASE[0], 5), flip(BASE[0], 10)], 5) == [0, 0, 0]


def test_equal_hashes_are_similar():
    assert group("abc", [BASE[1], BASE[0], BASE[1]], 0) == [0, 1, 0]


def test_pixels_decide_whatever_the_hashes_say():
    hashes = [BASE[0], BASE[0], flip(BASE[0], 3), BASE[1]]
    assert group("abcd", hashes, 5) == [0, 0, 0, 3]
    assert group("abcd", hashes, 5, show) == [0, 1, 2, 3]
    assert group("abcd", hashes, 5, lambda position: show(position // 2)) == [0, 0, 2, 3]
    assert group("aacd", hashes, 5, show) == [0, 0, 2, 3]


def test_no_images_make_no_groups():
    assert group([], [], 4) == []


@pytest.mark.parametrize("tile", [3, 7, 1024])
def test_tiles_do_not_change_the_groups(monkeypatch, tile):
    monkeypatch.setattr(duplicates, "_TILE", tile)
    rng = np.random.default_rng(0)
    bases = [rng.bytes(32).hex() for _ in range(10)]
    hashes = [flip(value, bits) for bits in (0, 3) for value in bases]
    assert group(range(20), hashes, 3) == [*range(10), *range(10)]
