import keras
import numpy as np
import pytest

from leukoscope.models.pooling import AdaptiveAverage, pool_to_the_end


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


@pytest.mark.parametrize(
    ("length", "windows"),
    [
        (6, [[0], [1], [2], [3], [4], [5]]),
        (13, [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 8], [8, 9, 10], [10, 11, 12]]),
        (4, [[0], [0, 1], [1], [2], [2, 3], [3]]),
        (1, [[0]] * 6),
    ],
)
def test_adaptive_windows_are_those_of_pytorch(length, windows, rng):
    maps = rng.normal(size=(2, length, length, 3)).astype("float32")
    expected = [[maps[:, rows][:, :, columns].mean(axis=(1, 2)) for columns in windows] for rows in windows]
    given = keras.ops.convert_to_numpy(AdaptiveAverage(6)(maps))
    assert given == pytest.approx(np.moveaxis(expected, 2, 0), abs=1e-5)


def test_an_adaptive_average_comes_back_from_its_configuration():
    layer = AdaptiveAverage(5, name="resample")
    assert AdaptiveAverage.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.compute_output_shape((None, 3, 3, 8)) == (None, 5, 5, 8)
