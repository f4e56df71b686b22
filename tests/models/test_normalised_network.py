"""A network that normalises the stain of what it sees."""

import json
import zipfile

import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.core.errors import InputError
from leukoscope.features.macenko import fit_dyes, normalise_dyes
from leukoscope.features.normalisation import fit_target, normalise
from leukoscope.inference.exporting import FORMATS, Exporter
from leukoscope.models.network import Classifier, build_classifier, build_empty
from leukoscope.synthetic import draw_smear
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.network_options import CellsOptions
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.trainer import Trainer

NAMES = ("a", "b")
ON_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exported under TensorFlow only")


@pytest.fixture(scope="module", autouse=True)
def _tiny():
    with pytest.MonkeyPatch.context() as patch:
        tiny.add(lambda *arguments: patch.setattr(*arguments, raising=False))
        yield


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    fields = [draw_smear(name, np.random.default_rng(seed), 32) for seed, name in enumerate(["Benign", "Pro"] * 4)]
    return np.stack([*fields, np.zeros((32, 32, 3), np.uint8)])


@pytest.fixture(scope="module")
def target(pixels):
    return fit_target(pixels[:3] * 0.7)


@pytest.fixture(scope="module")
def dyes(pixels):
    return fit_dyes(pixels[:3])


def resolve(target=None, **values):
    shared = Recipe(weights="none", precision="float32", **values)
    recipe = resolve_recipe(tiny.NAME, shared, RecipeDifferences())
    return recipe.model_copy(update={"stain_target": target})


@pytest.fixture(scope="module")
def classifier(_tiny, target) -> Classifier:
    return Classifier(build_classifier(tiny.NAME, resolve(target), NAMES, seed=0).network, NAMES, "splits", 32)


def test_it_sees_what_a_plain_one_sees_of_normalised_images(classifier, pixels, target):
    plain = Classifier(build_classifier(tiny.NAME, resolve(), NAMES, seed=0).network, NAMES)
    normalised = np.stack([normalise(image, target) for image in pixels])
    expected = plain.network.predict_on_batch(normalised.astype("float32"))
    assert classifier.predict(pixels).probabilities == pytest.approx(expected, abs=1e-4)
    assert np.abs(plain.predict(pixels).probabilities - expected).max() > 1e-3
    assert keras.ops.convert_to_numpy(classifier.network(pixels)) == pytest.approx(expected, abs=1e-4)


def test_saved_and_loaded_it_has_its_target(classifier, pixels, target, tmp_path):
    classifier.save(tmp_path / "model.keras")
    loaded = Classifier.load(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(pixels).probabilities, classifier.predict(pixels).probabilities, atol=1e-6
    )
    config = json.loads(zipfile.ZipFile(tmp_path / "model.keras").read("config.json"))
    layer = next(layer for layer in config["config"]["layers"] if layer["name"] == "normalised")
    assert layer["config"]["mean"] == list(target.mean)


def test_the_method_is_that_of_the_target(dyes, pixels):
    network = build_classifier(tiny.NAME, resolve(dyes), NAMES, seed=0).network
    assert network.get_layer("normalised").most == list(dyes.most)
    normalised = np.stack([normalise_dyes(image, dyes) for image in pixels]).astype("float32")
    plain = build_classifier(tiny.NAME, resolve(), NAMES, seed=0).network
    assert network.predict_on_batch(pixels) == pytest.approx(plain.predict_on_batch(normalised), abs=2e-3)


@ON_TENSORFLOW
def test_what_is_exported_has_it_inside(classifier, pixels):
    rebuilt = Exporter(classifier, 1.0, {}, pixels[:1])._rebuild()
    assert rebuilt.predict_on_batch(pixels) == pytest.approx(classifier.predict(pixels).probabilities, abs=1e-5)


@pytest.mark.slow
@ON_TENSORFLOW
@pytest.mark.parametrize(("name", "most"), [("onnx", 1e-4), ("litert", 1e-3)])
@pytest.mark.parametrize("method", ["reinhard", "macenko"])
def test_an_exported_file_gives_the_same(target, dyes, pixels, method, name, most):
    recipe = resolve({"reinhard": target, "macenko": dyes}[method])
    classifier = Classifier(build_classifier(tiny.NAME, recipe, NAMES, seed=0).network, NAMES, "splits", 32)
    exporter = Exporter(classifier, 1.0, {}, pixels[:1])
    predict = FORMATS[name].load(FORMATS[name].write(exporter, "float32"))
    assert predict(pixels) == pytest.approx(classifier.predict(pixels).probabilities, abs=most)


@pytest.mark.slow
def test_a_training_has_the_target_of_its_recipe(pixels, target, tmp_path):
    recipe = resolve(target, epochs=1, batch_size=4, normalisation="reinhard")
    journal = TrainingJournal(tmp_path / "journal")
    journal.start({})
    images = LabelledImages(pixels, np.arange(8), np.arange(8) % 2, np.ones(8))
    trained = Trainer(tiny.NAME, recipe, NAMES, images, images, {}, journal, seed=1).fit()
    assert trained.network.get_layer("normalised").mean == list(target.mean)
    assert np.isfinite(trained.predict(pixels).probabilities).all()


def test_a_network_without_weights_has_its_target(target):
    assert build_empty(tiny.NAME, resolve(target), NAMES).network.get_layer("normalised").mean == list(target.mean)


def test_single_cells_are_not_normalised():
    values = {"name": "reader", "kind": "cells", "architecture": "mobilenet_v2"}
    entry = CellsOptions(**values, training={"normalisation": "reinhard"})
    with pytest.raises(InputError, match=r"reads single cells\. Set models\.reader\.training\.normalisation=none"):
        entry.resolve(Recipe())
