import keras
import numpy as np
import pytest

from leukoscope.models.parts import Parts
from tiny_reader import SIZE, build_network, shade


@pytest.fixture(scope="module")
def parts() -> Parts:
    return Parts(build_network())


@pytest.fixture
def fields() -> np.ndarray:
    return np.stack([shade(brightness) for brightness in (40, 100, 200)])


def test_the_parts_one_after_the_other_are_the_network(parts, fields):
    maps = parts.feature_maps.predict_on_batch(fields)
    features = parts.trunk.predict_on_batch(fields)
    assert maps.shape == (3, SIZE // 2, SIZE // 2, 2)
    assert features == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-6)
    probabilities, again = parts.predicting.predict_on_batch(fields)
    assert again == pytest.approx(features, abs=1e-6)
    assert keras.ops.convert_to_numpy(parts.head(features)) == pytest.approx(probabilities, abs=1e-6)


def test_it_resizes_to_its_input_size(parts):
    assert parts.resized_side == SIZE // 2
    assert parts.centre_crop == 1


def test_says_what_a_network_lacks(parts):
    assert parts.find_missing() == []
    image = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D(name="features")(image)
    assert Parts(keras.Model(image, keras.layers.Dense(2)(features))).find_missing() == ["probabilities"]
    assert Parts(keras.Model(image, image)).find_missing() == ["features", "probabilities"]


def test_a_head_trains_behind_dropout():
    image = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D(name="features")(image)
    dropped = keras.layers.Dropout(0.5, name="dropout")(features)
    network = keras.Model(image, keras.layers.Dense(2, name="probabilities")(dropped))
    kept = keras.Input((3,))
    head = keras.Model(kept, Parts(network).train_head(kept))
    assert [variable.path for variable in head.trainable_variables] == ["probabilities/kernel", "probabilities/bias"]
    assert any(isinstance(layer, keras.layers.Dropout) for layer in head.layers)
