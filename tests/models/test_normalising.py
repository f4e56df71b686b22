import keras
import numpy as np
import pytest

from leukoscope.features.normalisation import fit_target, normalise
from leukoscope.models.normalising import ReinhardNormalisation
from leukoscope.synthetic import draw_smear


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    fields = [draw_smear(name, np.random.default_rng(seed), 32) for seed, name in enumerate(("Benign", "Pre", "Pro"))]
    plain = [np.full((32, 32, 3), colour, np.uint8) for colour in ((0, 0, 0), (255, 255, 255), (255, 0, 7))]
    return np.stack([*fields, *plain])


@pytest.fixture(scope="module")
def target():
    return fit_target([draw_smear("Early", np.random.default_rng(9), 32)])


def apply(layer: keras.Layer, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(images.astype("float32")))


def test_the_layer_gives_what_numpy_gives(images, target):
    expected = np.stack([normalise(image, target) for image in images])
    assert apply(ReinhardNormalisation(*target), images) == pytest.approx(expected, abs=0.02)


def test_each_image_is_normalised_by_itself(images, target):
    layer = ReinhardNormalisation(*target)
    assert apply(layer, images[:1]) == pytest.approx(apply(layer, images)[:1], abs=1e-3)


def test_its_target_comes_back_with_its_configuration(images, target):
    layer = ReinhardNormalisation(*target)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    np.testing.assert_array_equal(apply(again, images), apply(layer, images))


def test_a_brighter_lamp_changes_hardly_anything(images, target):
    dim = np.stack([(image * 0.85).astype(np.uint8) for image in images[:3]])
    layer = ReinhardNormalisation(*target)
    change = np.abs(apply(layer, dim) - apply(layer, images[:3])).mean()
    assert change < 0.1 * np.abs(dim - images[:3].astype(float)).mean()
