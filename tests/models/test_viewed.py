import json

import numpy as np
import pytest
from scipy.special import softmax

from crafted_models import make_classifier, make_fields, make_vote
from leukoscope.core.errors import DamageError, InputError
from leukoscope.images.views import VIEWS
from leukoscope.models.base import Classifier, Prediction
from leukoscope.models.network import Classifier as Network
from leukoscope.models.stored import load_classifier, write_classifier
from leukoscope.models.viewed import ViewedClassifier
from tiny_reader import CLASS_NAMES, build_network


def make_network() -> Network:
    return Network(build_network(32), CLASS_NAMES, "splits", 64)


class OneCorner:
    """Looks at the upper left pixel only."""

    def predict(self, pixels: np.ndarray, rows: None, batch_size: int) -> Prediction:
        corner = pixels[:, 0, 0].astype(np.float32)
        return Prediction(corner / corner.sum(axis=1, keepdims=True), corner)


@pytest.mark.parametrize("views", sorted(VIEWS))
def test_it_is_the_mean_over_the_views(views):
    member, pixels = make_network(), make_fields().pixels[::5]
    viewed = ViewedClassifier(member, views)
    assert isinstance(viewed, Classifier)
    seen = [member.predict(view(pixels)) for view in VIEWS[views]]
    predicted = viewed.predict(pixels, batch_size=4)
    scores = np.mean([member.score(one) for one in seen], axis=0)
    assert predicted.probabilities == pytest.approx(softmax(scores, axis=1), abs=1e-5)
    assert predicted.features == pytest.approx(np.mean([one.features for one in seen], axis=0), abs=1e-5)
    assert predicted.probabilities.dtype == predicted.features.dtype == np.float32
    some = viewed.predict(make_fields().pixels, np.arange(0, 48, 5), batch_size=4)
    assert some.probabilities == pytest.approx(predicted.probabilities, abs=1e-6)


def test_symmetries_do_not_tell_how_a_field_lies():
    member, pixels = OneCorner(), make_fields().pixels[:4]
    viewed = ViewedClassifier(member, "symmetries")
    for change in (lambda fields: fields[:, ::-1], lambda fields: np.rot90(fields, axes=(1, 2))):
        assert viewed.predict(change(pixels)).features == pytest.approx(viewed.predict(pixels).features)
        assert (member.predict(change(pixels), None, 4).features != member.predict(pixels, None, 4).features).any()


@pytest.mark.parametrize("make_member", [make_network, make_classifier, make_vote])
def test_one_of_any_kind_comes_back_from_its_folder(make_member, tmp_path):
    viewed = ViewedClassifier(make_member(), "rotations")
    write_classifier(viewed, tmp_path)
    loaded = load_classifier(tmp_path)
    assert (loaded.fingerprint, loaded.class_names) == (viewed.fingerprint, viewed.class_names)
    assert (loaded.image_size, loaded.trained_on) == (viewed.image_size, viewed.trained_on)
    assert loaded.capabilities == {"features"}
    assert loaded.find_fault() is None
    pixels = make_fields().pixels[:2]
    assert loaded.predict(pixels).probabilities == pytest.approx(viewed.predict(pixels).probabilities, abs=1e-6)


def test_other_views_or_another_member_are_another_model():
    others = [ViewedClassifier(make_classifier(), "symmetries"), ViewedClassifier(make_classifier(), "rotations")]
    others.append(ViewedClassifier(make_classifier("svm"), "symmetries"))
    assert len({make_classifier().fingerprint, *(one.fingerprint for one in others)}) == 4


def test_one_that_was_changed_is_told(tmp_path):
    write_classifier(ViewedClassifier(make_classifier(), "symmetries"), tmp_path)
    facts = tmp_path / "model/classifier.json"
    said = json.loads(facts.read_text())
    facts.write_text(json.dumps(said | {"views": "rotations"}))
    with pytest.raises(DamageError, match="not the one that it was made of"):
        load_classifier(tmp_path)
    facts.write_text(json.dumps(said | {"views": "all"}))
    with pytest.raises(InputError, match="no views 'all'"):
        load_classifier(tmp_path)
