import numpy as np
import pytest

from cell_models import CROP, make_classifier
from leukoscope.core.cache import ContentCache
from leukoscope.models import cell_vectors
from leukoscope.models.cell_vectors import CellVectors


@pytest.fixture
def crops(rng) -> np.ndarray:
    return rng.integers(0, 256, (70, CROP, CROP, 3), np.uint8)


@pytest.fixture
def cache(tmp_path) -> ContentCache:
    return ContentCache(tmp_path / "cells.db")


def encode_by_network(classifier, crops: np.ndarray) -> np.ndarray:
    return classifier.network.parts.cell_vectors.predict(crops, verbose=0)[0]


@pytest.mark.parametrize("pooling", ["mean", "mean-grey"])
def test_vectors_are_those_of_the_network(pooling, crops, cache):
    classifier = make_classifier(pooling)
    expected = encode_by_network(classifier, crops)
    for known in (None, cache, cache):
        assert CellVectors(classifier.network.parts, known).encode(crops) == pytest.approx(expected, abs=1e-4)


def test_no_crop_is_encoded_twice(crops, cache, monkeypatch):
    first = CellVectors(make_classifier("mean").network.parts, cache).encode(crops[:40])
    again = CellVectors(make_classifier("attention").network.parts, cache)  # which has the same encoder
    computed = []
    monkeypatch.setattr(again, "_compute", lambda some: computed.append(len(some)) or first[: len(some)])
    assert np.array_equal(again.encode(crops[:40][::-1]), first[::-1])
    assert not computed
    again.encode(crops[20:60])
    assert computed == [20]


def test_another_encoder_has_other_vectors(crops, cache):
    makers = [{}, {"pooling": "mean-grey"}, {"input_size": 32}, {"centre_crop": 0.5}]
    classifiers = [make_classifier(**{"pooling": "mean"} | values) for values in makers]
    classifiers.append(make_classifier("mean"))
    layer = classifiers[-1].network.network.get_layer("block1_conv")
    layer.set_weights([values + 0.1 for values in layer.get_weights()])
    assert len({CellVectors(one.network.parts).fingerprint for one in classifiers}) == 5
    for classifier in classifiers:
        vectors = CellVectors(classifier.network.parts, cache).encode(crops[:5])
        assert vectors == pytest.approx(encode_by_network(classifier, crops[:5]), abs=1e-4)


def test_another_version_has_other_vectors(monkeypatch):
    parts = make_classifier("mean").network.parts
    before = CellVectors(parts).fingerprint
    monkeypatch.setattr("keras.__version__", "99")
    assert CellVectors(parts).fingerprint != before


def test_a_field_of_many_cells_does_not_pad_the_others(crops, monkeypatch):
    vectors = CellVectors(make_classifier("mean").network.parts)
    bags = [some.reshape(-1, CROP, 3) for some in (crops[:2], crops[2:3], crops[3:3], crops[3:])]
    alone = np.concatenate([vectors.pool_bags([bag]) for bag in bags])
    padded, pool = [], vectors._pool
    monkeypatch.setattr(vectors, "_pool", lambda one, filled: padded.append(filled.size) or pool(one, filled))
    assert vectors.pool_bags(bags) == pytest.approx(alone, abs=1e-5)
    assert sum(padded) < 2 * len(crops)


def test_a_damaged_entry_is_computed_anew(crops, cache):
    vectors = CellVectors(make_classifier("mean").network.parts, cache)
    expected = vectors.encode(crops[:3])
    kept = cache.beside("cell_vectors.db")
    keys = [cell_vectors.identify_content(crop, vectors.fingerprint) for crop in crops[:3]]
    kept.keep({keys[0]: b"short", keys[1]: "text"})
    assert np.array_equal(vectors.encode(crops[:3]), expected)


def test_none_of_no_crop(crops, cache):
    assert CellVectors(make_classifier("mean").network.parts, cache).encode(crops[:0]).shape == (0, 32)
