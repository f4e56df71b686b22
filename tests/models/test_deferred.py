"""A classifier that stays in its file until it is needed."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.models.deferred import MEMBER, DeferredNetwork, open_network
from leukoscope.models.network import Classifier
from tiny_reader import CLASS_NAMES, SIZE, build_network, shade

FIELDS = np.stack([shade(30), shade(150)])


def make_classifier(bias: float = 0.0) -> Classifier:
    network = build_network()
    head = network.get_layer("probabilities")
    head.set_weights([head.get_weights()[0], np.array([bias, 0, 0, 0])])
    return Classifier(network, CLASS_NAMES, "splits", SIZE)


@pytest.fixture
def path(tmp_path):
    make_classifier().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def is_loaded(classifier: DeferredNetwork) -> bool:
    return "loaded" in vars(classifier)


def test_what_the_file_says_is_known_without_the_network(path):
    classifier, deferred = make_classifier(), open_network(path)
    assert isinstance(deferred, DeferredNetwork)
    for fact in ("class_names", "trained_on", "image_size", "fingerprint"):
        assert getattr(deferred, fact) == getattr(classifier, fact)
    assert not is_loaded(deferred)


def test_opening_and_copying_load_no_keras(path):
    code = (
        "import sys, pathlib\n"
        "from leukoscope.models.deferred import open_network\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "open_network(path).save(path.with_name('copy.keras'))\n"
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 0
    assert path.with_name("copy.keras").read_bytes() == path.read_bytes()


def test_it_predicts_and_has_the_parts_of_the_network(path):
    deferred, classifier = open_network(path), make_classifier()
    assert deferred.predict(FIELDS).probabilities == pytest.approx(classifier.predict(FIELDS).probabilities, abs=1e-6)
    assert deferred.parts.head.name == "probabilities"
    assert deferred.capabilities == classifier.capabilities
    assert is_loaded(deferred)


def test_a_file_that_was_replaced_meanwhile_is_refused(path):
    deferred = open_network(path)
    make_classifier(bias=1.0).save(path)
    with pytest.raises(InputError, match=r"holds the model .* another run has replaced it meanwhile"):
        deferred.predict(FIELDS)


def test_damage_is_told_at_once(path):
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        weights = archive.getinfo("model.weights.h5")
    content[weights.header_offset + weights.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model.keras is damaged \(the checksum of its member model.weights.h5"):
        open_network(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"model.keras is damaged"):
        open_network(path)


def rewrite(path, new, change_facts=lambda facts: facts, weights: bytes | None = None):
    """Copy a file with other facts, or other weights."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(new, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == MEMBER:
                content = json.dumps(change_facts(json.loads(content)))
            copy.writestr(name, weights if weights and name == "model.weights.h5" else content)


def test_a_file_of_an_earlier_version_is_loaded_to_know_its_fingerprint(path, tmp_path):
    earlier = {"class_names", "trained_on", "image_size"}
    rewrite(path, tmp_path / "old.keras", lambda facts: {name: facts[name] for name in earlier})
    opened = open_network(tmp_path / "old.keras")
    assert isinstance(opened, Classifier)
    assert opened.fingerprint == make_classifier().fingerprint


def test_other_weights_under_the_same_facts_do_not_pass_for_the_model(path, tmp_path):
    other = make_classifier(bias=1.0)
    other.save(tmp_path / "other.keras")
    with zipfile.ZipFile(tmp_path / "other.keras") as archive:
        weights = archive.read("model.weights.h5")
    rewrite(path, tmp_path / "edited.keras", weights=weights)
    opened = open_network(tmp_path / "edited.keras")
    assert opened.fingerprint == other.fingerprint != make_classifier().fingerprint
