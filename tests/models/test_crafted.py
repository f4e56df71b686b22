import hashlib
import json
from dataclasses import replace
from subprocess import Popen

import numpy as np
import pytest
import skops.io
from sklearn.dummy import DummyClassifier

from crafted_models import make_classifier, make_fields
from drawn_fields import draw_field
from leukoscope.core.errors import DamageError, InputError
from leukoscope.features.fields import list_features
from leukoscope.models.base import Classifier
from leukoscope.models.crafted import CraftedClassifier
from leukoscope.models.stored import load_classifier, write_classifier
from leukoscope.training.crafted import METHODS


@pytest.fixture
def home(tmp_path):
    write_classifier(make_classifier(), tmp_path)
    return tmp_path


@pytest.mark.parametrize("method", METHODS)
def test_what_was_saved_predicts_as_before(method, tmp_path):
    classifier = make_classifier(method, ("shape", "colour"))
    write_classifier(classifier, tmp_path)
    loaded = load_classifier(tmp_path)
    pixels = make_fields().pixels[::7]
    before, after = (one.predict(pixels) for one in (classifier, loaded))
    assert np.array_equal(before.probabilities, after.probabilities)
    assert np.array_equal(before.features, after.features)
    assert before.probabilities.dtype == np.float32
    assert before.probabilities.sum(axis=1) == pytest.approx(np.ones(len(pixels)), abs=1e-6)
    names = ("class_names", "trained_on", "image_size", "fingerprint", "groups", "capabilities")
    assert [getattr(classifier, name) for name in names] == [getattr(loaded, name) for name in names]


def test_it_is_a_classifier_that_maps_and_exports_nothing():
    classifier = make_classifier()
    assert isinstance(classifier, Classifier)
    assert classifier.capabilities == {"features"}


def test_it_tells_fields_apart_by_what_it_measures():
    fields = make_fields()
    test = fields.splits["split"] == "test"
    predicted = make_classifier().predict(fields.pixels, np.flatnonzero(test))
    classes = np.array(["Benign", "Early", "Pre", "Pro"])[predicted.probabilities.argmax(axis=1)]
    assert (classes == fields.splits.loc[test, "label"]).mean() > 0.9
    assert predicted.features.shape == (test.sum(), len(list_features(("shape",))))


def test_a_field_without_cells_is_as_usual_but_for_their_number():
    classifier = make_classifier()
    features = classifier.predict(draw_field([], side=64)[None]).features[0]
    assert features[:-2] == pytest.approx(classifier.usual[:-2])
    assert features[-2:].tolist() == [0, 0]


def test_a_file_with_foreign_types_is_not_loaded(home):
    """Whatever the file is called: scikit-learn's classifiers alone are known."""
    file = home / "model/classifier.skops"
    skops.io.dump(DummyClassifier().fit([[0.0]], [0]), file)
    pretend_to_be_whole(home)
    with pytest.raises(InputError, match="does not take 66 measurements"):
        load_classifier(home)
    skops.io.dump(Popen, file)
    pretend_to_be_whole(home)
    with pytest.raises(InputError, match=r"is not loaded, since it holds .*: subprocess\.Popen") as caught:
        load_classifier(home)
    assert "\n" not in str(caught.value)


def pretend_to_be_whole(home) -> None:
    facts = json.loads((home / "model/classifier.json").read_text())
    facts["sha256"] = hashlib.sha256((home / "model/classifier.skops").read_bytes()).hexdigest()
    (home / "model/classifier.json").write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("classifier.json", b"{", "classifier.json is damaged"),
        ("classifier.json", b'{"kind": "crafted"}', "classifier.json is damaged"),
        ("classifier.json", b'{"kind": "quantum"}', "no kind of classifier 'quantum'"),
        ("classifier.skops", b"PK", "not the file that classifier.json is of"),
    ],
)
def test_a_damaged_file_is_told(home, file, content, message):
    (home / "model" / file).write_bytes(content)
    with pytest.raises(DamageError, match=message):
        load_classifier(home)


def test_no_file_is_a_pickle(home):
    assert sorted(path.name for path in (home / "model").iterdir()) == ["classifier.json", "classifier.skops"]


def test_its_size_is_that_of_what_it_keeps():
    size = make_classifier("knn").measure_size()
    train = (make_fields().splits["split"] == "train").sum()
    assert train * 66 <= size["parameters"] <= train * 66 + 1000  # each training image, and what scales and calibrates
    assert 0 < size["model_mib"] < 1


def test_another_training_is_another_fingerprint():
    fingerprints = {make_classifier(method).fingerprint for method in ("knn", "svm")}
    fingerprints.add(make_classifier("knn", ("colour",)).fingerprint)
    assert len(fingerprints) == 3


def test_it_measures_by_itself_where_nothing_is_kept():
    alone = replace(make_classifier(), store=None)
    pixels = make_fields().pixels[:2]
    assert np.array_equal(alone.predict(pixels).features, make_classifier().predict(pixels).features)
    assert isinstance(alone, CraftedClassifier)
