import keras
import numpy as np
import pytest

from leukoscope.models.responses import LocalResponseNormalization


def test_the_worked_example():
    responses = np.array([100, 200, 300, 400, 500], "float32").reshape(1, 1, 1, 5)
    given = keras.ops.convert_to_numpy(LocalResponseNormalization()(responses)).ravel()
    assert given == pytest.approx([36.742, 46.474, 46.530, 62.827, 82.780], abs=1e-3)


def test_comes_back_from_its_configuration():
    layer = LocalResponseNormalization(size=3, alpha=0.1, beta=0.5, k=2.0, name="norm")
    assert LocalResponseNormalization.from_config(layer.get_config()).get_config() == layer.get_config()
    given = layer(np.array([1, 2, 3], "float32").reshape(1, 1, 1, 3))
    expected = np.array([1, 2, 3]) / np.sqrt(2 + 0.1 / 3 * np.array([1 + 4, 1 + 4 + 9, 4 + 9]))
    assert keras.ops.convert_to_numpy(given).ravel() == pytest.approx(expected, abs=1e-5)
