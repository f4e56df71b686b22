import keras
import numpy as np
import pytest

from leukoscope.features.macenko import find_dyes, fit_dyes, normalise_dyes
from leukoscope.models.unmixing import MacenkoNormalisation
from leukoscope.synthetic import draw_smear


def draw(name: str, seed: int) -> np.ndarray:
    return draw_smear(name, np.random.default_rng(seed), 48)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    fields = [draw(name, seed) for seed, name in enumerate(("Benign", "Pre", "Pro", "Early"))]
    dim = (fields[0] * [0.8, 0.9, 0.7]).astype(np.uint8)
    grey = fields[1].mean(axis=-1, keepdims=True).repeat(3, axis=-1).astype(np.uint8)
    plain = [np.full((48, 48, 3), colour, np.uint8) for colour in ((0, 0, 0), (255, 255, 255), (255, 0, 7))]
    return np.stack([*fields, dim, grey, *plain])


@pytest.fixture(scope="module")
def target():
    return fit_dyes([draw("Early", 9), draw("Benign", 8)])


def apply(layer: keras.Layer, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(images.astype("float32")))


def test_the_layer_gives_what_numpy_gives(images, target):
    assert [find_dyes(image) is not None for image in images] == [True] * 5 + [False] * 4
    expected = np.stack([normalise_dyes(image, target) for image in images])
    assert np.abs(expected - images)[:5].mean(axis=(1, 2, 3)).min() > 1
    assert apply(MacenkoNormalisation(*target), images) == pytest.approx(expected, abs=0.3)


def test_what_has_no_two_dyes_comes_back(images, target):
    np.testing.assert_array_equal(apply(MacenkoNormalisation(*target), images)[5:], images[5:])


def test_each_image_is_normalised_by_itself(images, target):
    layer = MacenkoNormalisation(*target)
    assert apply(layer, images[:1]) == pytest.approx(apply(layer, images)[:1], abs=0.05)


def test_its_target_comes_back_with_its_configuration(images, target):
    layer = MacenkoNormalisation(*target)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    np.testing.assert_array_equal(apply(again, images), apply(layer, images))
