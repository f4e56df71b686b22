import keras
import numpy as np
import pytest
from scipy.fft import dctn

from leukoscope.features.stains import DENSITIES
from leukoscope.models.bilinear import BilinearPooling
from leukoscope.models.optical import Dct2D, OpticalDensity, StainDeconvolution, make_cosines


def apply(layer: keras.Layer, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(images.astype("float32")))


class TestOpticalDensity:
    def test_the_worked_examples(self):
        values = np.array([255, 128, 25.5, 1])
        densities = apply(OpticalDensity(), np.repeat(values, 3).reshape(1, 1, 4, 3))
        assert densities[0, 0, :, 0] == pytest.approx([0, 0.2993, 1, 2.4065], abs=1e-4)

    def test_only_what_is_black_in_all_channels_is_background(self):
        densities = apply(OpticalDensity(), np.array([[[[0, 0, 0], [0, 255, 0]]]]))
        assert densities[0, 0] == pytest.approx(np.array([[0, 0, 0], [2.4065, 0, 2.4065]]), abs=1e-4)


class TestStainDeconvolution:
    def test_the_identity_leaves_the_hyperbolic_tangent(self, rng):
        layer = StainDeconvolution()
        layer.build((None, 2, 2, 3))
        layer.kernel.assign(np.eye(3))
        densities = rng.uniform(0, 2.4, (2, 2, 2, 3))
        assert apply(layer, densities) == pytest.approx(np.tanh(densities), abs=1e-6)

    def test_starts_by_taking_known_dyes_apart(self):
        layer = StainDeconvolution()
        amounts = np.array([0.7, 0.2, 0.1])
        assert apply(layer, (amounts @ DENSITIES).reshape(1, 1, 1, 3)).ravel() == pytest.approx(
            np.tanh(amounts), abs=1e-5
        )
        assert layer.count_params() == 9


class TestDct2D:
    def test_is_that_of_scipy(self, rng):
        images = rng.uniform(0, 255, (2, 6, 9, 3))
        expected = dctn(images, axes=(1, 2), norm="ortho")
        assert apply(Dct2D(compressed=False), images) == pytest.approx(expected, abs=1e-3)
        assert apply(Dct2D(), images) == pytest.approx(np.sign(expected) * np.log10(np.abs(expected) + 1), abs=1e-4)

    def test_a_constant_image_has_one_frequency(self):
        frequencies = apply(Dct2D(compressed=False), np.full((1, 4, 4, 1), 100.0))[0, :, :, 0]
        expected = np.zeros((4, 4))
        expected[0, 0] = 400
        assert frequencies == pytest.approx(expected, abs=1e-4)

    def test_its_matrix_is_orthonormal(self):
        assert make_cosines(50) @ make_cosines(50).T == pytest.approx(np.eye(50), abs=1e-12)


class TestBilinearPooling:
    def test_is_the_root_of_the_products_of_channels(self, rng):
        maps = rng.normal(size=(2, 3, 4, 5))
        products = np.einsum("bhwc,bhwd->bcd", maps, maps).reshape(2, 25)
        roots = np.sign(products) * np.sqrt(np.abs(products) + 1e-5)
        expected = roots / np.linalg.norm(roots, axis=1, keepdims=True)
        assert apply(BilinearPooling(), maps) == pytest.approx(expected, abs=1e-5)

    def test_without_any_response_it_is_zero(self):
        assert not apply(BilinearPooling(), np.zeros((1, 2, 2, 3))).any()


def test_they_come_back_from_a_file(rng, tmp_path):
    image = keras.Input((8, 8, 3))
    maps = image
    for layer in (OpticalDensity(), StainDeconvolution(), Dct2D(compressed=False), BilinearPooling(epsilon=0.1)):
        maps = layer(maps)
    model = keras.Model(image, maps)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = rng.integers(0, 256, (2, 8, 8, 3))
    assert apply(loaded, images) == pytest.approx(apply(model, images), abs=1e-6)
    assert loaded.layers[-1].epsilon == 0.1
