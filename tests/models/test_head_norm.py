"""A batch norm between the features and the last layer."""

import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.backend import kernels
from leukoscope.inference.exporting import Exporter
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.network import Classifier, build_classifier
from leukoscope.models.parts import Parts
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.trainer import Trainer

NAMES = ("a", "b", "c", "d")
CLASSES = np.arange(48) % 4
PIXELS = (np.random.default_rng(0).integers(0, 40, (48, 32, 32, 3)) + 50 * CLASSES[:, None, None, None]).astype("uint8")


@pytest.fixture(scope="module", autouse=True)
def _tiny():
    with pytest.MonkeyPatch.context() as patch:
        tiny.add(lambda *arguments: patch.setattr(*arguments, raising=False))
        yield


def resolve(**values):
    return resolve_recipe(tiny.NAME, Recipe(weights="none", head_norm=True, **values), RecipeDifferences())


@pytest.fixture(scope="module")
def trained(_tiny) -> Classifier:
    """After three steps with the kernels that trainings use, so that no statistic is what it starts from."""
    network = build_classifier(tiny.NAME, resolve(dropout=0.2), NAMES, seed=0).network
    kernels.use_faster_kernels(network)
    network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    for _ in range(3):
        network.train_on_batch(PIXELS, CLASSES)
    return Classifier(network, NAMES, "splits", 32)


def test_it_learns_its_scale_and_follows_what_it_sees(trained):
    gamma, beta, *_ = trained.parts.norm.get_weights()
    assert min(np.ptp(gamma), np.ptp(beta)) > 0.001
    network = build_classifier(tiny.NAME, resolve(), NAMES, seed=0).network
    kernels.use_faster_kernels(network)  # those for maps do not take vectors
    vectors = np.random.default_rng(0).normal(3.0, 2.0, (64, tiny.CHANNELS)).astype("float32")
    normed = keras.ops.convert_to_numpy(Parts(network).norm(vectors, training=True))
    assert normed == pytest.approx((vectors - vectors.mean(axis=0)) / vectors.std(axis=0), abs=2e-3)
    _, _, mean, variance = Parts(network).norm.get_weights()
    assert mean == pytest.approx(0.1 * vectors.mean(axis=0), rel=1e-3)
    assert variance == pytest.approx(0.9 + 0.1 * vectors.var(axis=0), rel=1e-3)


def test_features_are_those_before_it_and_scores_those_behind(trained):
    prediction = trained.predict(PIXELS)
    maps = trained.parts.feature_maps.predict_on_batch(PIXELS)
    assert prediction.features == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-4)
    scores = np.exp(trained.score(prediction))
    assert scores / scores.sum(axis=1, keepdims=True) == pytest.approx(prediction.probabilities, abs=1e-5)


def test_folded_it_gives_the_same(trained):
    folded = Parts(fold_batch_norms(trained.network))
    assert folded.linear_head.kernel == pytest.approx(trained.parts.linear_head.kernel)
    assert folded.network.predict_on_batch(PIXELS) == pytest.approx(trained.network.predict_on_batch(PIXELS), abs=1e-5)


def test_saved_and_loaded_it_is_the_same(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = Classifier.load(tmp_path / "model.keras")
    assert loaded.fingerprint == trained.fingerprint
    assert loaded.predict(PIXELS).probabilities == pytest.approx(trained.predict(PIXELS).probabilities, abs=1e-6)


def test_maps_in_closed_form_take_its_scale_into_account(trained):
    """A class's score is the sum of its map over the field, but for what is the same for all fields."""
    assert "class_maps" in trained.capabilities
    (kernel,) = (pooled.kernel for pooled in trained.parts.pooled_maps)
    maps = trained.parts.feature_maps.predict_on_batch(PIXELS)
    summed = np.einsum("nhwc,ck->nk", maps, kernel) / (maps.shape[1] * maps.shape[2])
    assert summed - summed[0] == pytest.approx(
        trained.score(trained.predict(PIXELS)) - trained.score(trained.predict(PIXELS[:1])), abs=1e-3
    )
    assert not np.allclose(kernel, trained.parts.head.get_weights()[0])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="models are exported under TensorFlow only")
def test_an_exported_file_has_it_inside(trained):
    exporter = Exporter(trained, 2.0, {}, PIXELS[:1])
    scores = np.exp(trained.score(trained.predict(PIXELS)) / 2.0)
    expected = scores / scores.sum(axis=1, keepdims=True)
    assert exporter._rebuild().predict_on_batch(PIXELS) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("views", [2, None])
def test_a_head_trains_with_it(views, tmp_path):
    """On kept features, where it is part of what trains, as well as on images."""
    recipe = resolve(trainable="head", feature_views=views, epochs=2, batch_size=16, precision="float32")
    journal = TrainingJournal(tmp_path / "journal")
    journal.start({})
    training = LabelledImages(PIXELS, np.arange(32), CLASSES[:32], np.ones(32))
    validation = LabelledImages(PIXELS, np.arange(32, 48), CLASSES[32:], np.ones(16))
    classifier = Trainer(tiny.NAME, recipe, NAMES, training, validation, {}, journal, seed=1).fit()
    assert len(journal.history()) == 2
    norm, mean = classifier.parts.norm, classifier.parts.norm.get_weights()[2]
    assert [variable.name for variable in norm.trainable_variables] == ["gamma", "beta"]
    assert np.abs(mean).max() > 0
    fixed = classifier.network.get_layer("block1_bn").get_weights()[2]
    assert np.abs(fixed).max() == 0  # a frozen norm keeps its statistics
    again = Trainer(tiny.NAME, recipe, NAMES, training, validation, {}, journal, seed=1).fit()
    assert again.fingerprint == classifier.fingerprint


def test_as_many_numbers_as_in_hosseini_2023():
    recipe = resolve_recipe("mobilenet_v2", Recipe(weights="none", head_norm=True, input_size=32), RecipeDifferences())
    network = build_classifier("mobilenet_v2", recipe, NAMES, seed=0).network
    assert network.count_params() == 2_257_984 + 5_120 + 5_124
