import numpy as np
import pytest

from leukoscope.cells.masks import decode_mask, encode_mask


def test_a_mask_is_the_string_that_coco_tools_write():
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1] = mask[2, 3] = True
    # Down the columns 5 outside, 2 inside, 7, 1, 5; the fourth less the second is -1, the fifth less the third -2.
    assert encode_mask(mask) == "".join(chr(48 + number) for number in (5, 2, 7, 31, 30))
    long = np.zeros((40, 40), bool)
    long[:, 20] = True  # 800 outside, 40 inside, 760 outside, by five bits with a sign: 0 25 0, 8 1, 24 23 0
    assert encode_mask(long) == "Pi0" + "X1" + "hg0"


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_is_read_as_it_was_written(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 60), rng.integers(1, 60))) < rng.random()
    assert (decode_mask(encode_mask(mask), *mask.shape) == mask).all()


@pytest.mark.parametrize("inside", [True, False])
def test_a_mask_may_be_full_or_empty(inside):
    mask = np.full((3, 4), inside)
    assert (decode_mask(encode_mask(mask), 3, 4) == mask).all()


@pytest.mark.parametrize("text", ["", "5", "zzz", encode_mask(np.eye(4, dtype=bool))])
def test_a_string_of_another_size_is_refused(text):
    with pytest.raises(ValueError, match="no mask of 3 x 4"):
        decode_mask(text, 3, 4)
