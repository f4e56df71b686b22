import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.inference.explanation import make_mapper
from leukoscope.models.network import Classifier, build_classifier
from leukoscope.training.augmentation import build_augmentation
from leukoscope.training.frozen_features import keep_features
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe

SIDE, EDGE = 96, 24


@pytest.fixture
def classifier(class_names, monkeypatch) -> Classifier:
    """Sees the middle half of each side."""
    tiny.add(monkeypatch.setattr)
    recipe = resolve_recipe("tiny", Recipe(weights="none"), RecipeDifferences(centre_crop=0.5))
    return build_classifier("tiny", recipe, class_names, 0)


@pytest.fixture
def fields(rng) -> np.ndarray:
    return rng.integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.uint8)


def blank(fields: np.ndarray, centre: bool) -> np.ndarray:
    """Make the centre, or all else, white."""
    where = np.zeros((SIDE, SIDE), bool)
    where[EDGE:-EDGE, EDGE:-EDGE] = True
    return np.where((where == centre)[..., None], np.uint8(255), fields)


def test_only_the_middle_is_seen(classifier, fields):
    features = classifier.predict(fields).features
    # Resizing looks two pixels beyond the edge.
    assert classifier.predict(blank(fields, centre=False)).features == pytest.approx(features, rel=0.1)
    assert classifier.predict(blank(fields, centre=True)).features != pytest.approx(features, rel=0.5)
    middle = fields[:, EDGE:-EDGE, EDGE:-EDGE]
    whole = build_classifier("tiny", resolve_recipe("tiny", Recipe(weights="none"), RecipeDifferences()), "abcd", 0)
    whole.network.set_weights(classifier.network.get_weights())
    assert features == pytest.approx(whole.predict(middle).features, rel=0.05)


def test_it_comes_back_from_its_file(classifier, fields, tmp_path):
    classifier.save(tmp_path / "model.keras")
    loaded = Classifier.load(tmp_path / "model.keras")
    assert loaded.parts.centre_crop == 0.5
    assert np.array_equal(loaded.predict(fields).probabilities, classifier.predict(fields).probabilities)


def test_its_map_has_nothing_around_what_is_seen(classifier, fields):
    heat = make_mapper(classifier).map_classes(fields, np.array([0, 1, 2]))
    assert heat.shape == (3, SIDE, SIDE)
    assert heat[:, EDGE:-EDGE, EDGE:-EDGE].max() == 1
    outside = np.ones((SIDE, SIDE), bool)
    outside[EDGE:-EDGE, EDGE:-EDGE] = False
    assert heat[:, outside].max() == 0


def test_kept_features_are_those_of_the_network(classifier, fields, tmp_path):
    images = LabelledImages(fields, np.arange(3), np.zeros(3, int), np.ones(3))
    plain = build_augmentation(0, horizontal_flip=False)
    kept = keep_features(tmp_path / "features", {}, classifier.network, images, images, plain, 1, 3)
    expected = keras.ops.convert_to_numpy(classifier.parts.trunk(fields))
    assert kept.validation == pytest.approx(expected, rel=1e-4)
    assert kept.training[:, 0] == pytest.approx(expected, rel=1e-4)
