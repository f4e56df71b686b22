import json
from dataclasses import replace

import numpy as np
import pytest

from crafted_models import make_classifier, make_fields
from leukoscope.core.errors import DamageError, InputError
from leukoscope.evaluation.voting import Vote, weigh
from leukoscope.inference.explanation import ActivationMapper, make_mapper
from leukoscope.models.base import Classifier
from leukoscope.models.ensemble import EnsembleClassifier
from leukoscope.models.network import Classifier as Network
from leukoscope.models.stored import load_classifier, write_classifier
from tiny_reader import CLASS_NAMES, build_network


def make_network(size: int = 32) -> Network:
    like = make_classifier()
    return Network(build_network(size), CLASS_NAMES, like.trained_on, like.image_size)


@pytest.fixture
def ensemble() -> EnsembleClassifier:
    members = {"tiny": make_network(), "knn": make_classifier(), "svm": make_classifier("svm")}
    return EnsembleClassifier(members, Vote(weigh([1, 2, 1])))


def test_it_is_the_weighted_sum_of_its_members(ensemble):
    assert isinstance(ensemble, Classifier)
    pixels = make_fields().pixels[::5]
    said = [member.predict(pixels) for member in ensemble.members.values()]
    predicted = ensemble.predict(pixels)
    expected = np.tensordot([0.25, 0.5, 0.25], [one.probabilities for one in said], axes=1)
    assert predicted.probabilities == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(predicted.features, np.concatenate([one.features for one in said], axis=1))
    some = ensemble.predict(make_fields().pixels, np.arange(0, 48, 5))
    assert np.array_equal(some.probabilities, predicted.probabilities)


def test_it_has_what_all_of_its_members_have(ensemble):
    assert ensemble.capabilities == {"features"}
    networks = replace(ensemble, members={"one": make_network(), "two": make_network(48)})
    assert networks.capabilities == {"features", "class_maps"}


def test_members_of_all_kinds_come_back_from_one_folder(ensemble, tmp_path):
    write_classifier(ensemble, tmp_path)
    loaded = load_classifier(tmp_path)
    assert loaded.fingerprint == ensemble.fingerprint
    assert (loaded.class_names, loaded.image_size, loaded.trained_on) == (
        ensemble.class_names,
        ensemble.image_size,
        ensemble.trained_on,
    )
    pixels = make_fields().pixels[:3]
    assert loaded.predict(pixels).probabilities == pytest.approx(ensemble.predict(pixels).probabilities, abs=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_another_member_or_weight_is_another_ensemble(ensemble):
    others = [replace(ensemble, vote=Vote(weigh([1, 1, 1])))]
    others.append(replace(ensemble, members=ensemble.members | {"svm": make_classifier("random_forest")}))
    assert len({one.fingerprint for one in (ensemble, *others)}) == 3


def test_members_that_were_changed_are_told(ensemble, tmp_path):
    write_classifier(ensemble, tmp_path)
    facts = tmp_path / "model/classifier.json"
    said = json.loads(facts.read_text())
    said["members"] = ["svm", "knn", "tiny"]
    facts.write_text(json.dumps(said))
    with pytest.raises(DamageError, match="not those that it was made of"):
        load_classifier(tmp_path)
    facts.write_text(json.dumps(said | {"members": ["svm"]}))
    with pytest.raises(InputError, match="3 weights of 1 members"):
        load_classifier(tmp_path)


def test_members_that_do_not_belong_together_are_a_fault(ensemble):
    assert ensemble.find_fault() is None
    other = replace(make_classifier(), trained_on="other splits")
    assert "other classes, sizes or splits" in replace(ensemble, members={"a": make_network(), "b": other}).find_fault()


def test_its_map_is_the_weighted_sum_of_its_members(ensemble):
    networks = {"one": make_network(), "two": make_network(64)}
    pixels, classes = make_fields().pixels[[5, 40]], np.array([0, 3])
    voting = make_mapper(EnsembleClassifier(networks, Vote(weigh([3, 1])))).map_classes(pixels, classes)
    maps = [ActivationMapper(network).map_classes(pixels, classes) for network in networks.values()]
    expected = 0.75 * maps[0] + 0.25 * maps[1]
    assert voting == pytest.approx(expected / expected.max(axis=(1, 2), keepdims=True), abs=1e-5)
    assert make_mapper(ensemble) is None
