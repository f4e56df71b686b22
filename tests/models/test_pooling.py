import keras
import numpy as np
import pytest

from leukoscope.models.pooling import pool_to_the_end


@pytest.mark.parametrize(
    ("side", "size", "windows"),
    [(112, 3, 56), (113, 3, 56), (5, 3, 2), (2, 3, 1), (1, 3, 1), (7, 2, 4), (8, 2, 4)],
)
def test_pooling_to_the_end_leaves_no_pixel_out(side, size, windows, rng):
    image = keras.Input((side, side, 1))
    model = keras.Model(image, pool_to_the_end(image, "pool", size))
    pixels = rng.uniform(size=(1, side, side, 1)).astype("float32")
    starts = range(0, 2 * windows, 2)
    assert starts[-1] < side <= starts[-1] + max(size, 2)
    expected = [[pixels[0, row : row + size, column : column + size].max() for column in starts] for row in starts]
    assert keras.ops.convert_to_numpy(model(pixels))[0, :, :, 0] == pytest.approx(np.array(expected))
