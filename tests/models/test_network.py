import subprocess
import sys
import zipfile
from functools import cache

import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.core.errors import InputError
from leukoscope.models import architecture, base
from leukoscope.models.network import Classifier, build_classifier, in_float32, set_trainable
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from networks import mark_slow
from tiny_reader import make_reader, shade


def recipe_for(backbone: str, **values):
    size = max(32, architecture.get(backbone).smallest_input)
    return resolve_recipe(backbone, Recipe(weights="none", input_size=size), RecipeDifferences(**values))


def build(backbone: str, class_names, seed: int = 0, **values) -> Classifier:
    keras.utils.clear_session()
    return build_classifier(backbone, recipe_for(backbone, **values), class_names, seed)


BACKBONES = ["resnet50", "vgg16", "vgg19", "mobilenet_v2", "inception_v3"]


@pytest.fixture(scope="module")
def build_once(class_names):
    """Give one network of each backbone to all tests that leave its weights as they are."""
    return cache(lambda backbone: build(backbone, class_names))


@pytest.fixture
def images(rng) -> np.ndarray:
    return rng.integers(0, 256, (2, 40, 56, 3)).astype("uint8")


@pytest.mark.parametrize("backbone", mark_slow(BACKBONES, but={"mobilenet_v2"}))
class TestEveryBackbone:
    def test_gives_probabilities_for_raw_images_of_any_size(self, backbone, build_once, images):
        network = build_once(backbone).network
        for batch in (images, images[:, :20, :20]):
            probabilities = keras.ops.convert_to_numpy(network(batch))
            assert probabilities.shape == (2, 4)
            assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)

    def test_trains_from_each_block_on_only(self, backbone, build_once):
        counts, network = [], build_once(backbone).network
        for part in ("head", *reversed(architecture.get(backbone).blocks), "all"):
            set_trainable(network, backbone, part)
            counts.append(len(network.trainable_weights))
        assert counts == sorted(set(counts))
        assert counts[0] == 2

    @pytest.mark.slow
    def test_is_built_to_train_from_each_block_on_only(self, backbone, class_names):
        counts = []
        for part in ("all", *architecture.get(backbone).blocks, "head"):
            network = build(backbone, class_names, trainable=part).network
            counts.append(len(network.trainable_weights))
        assert counts == sorted(counts, reverse=True)
        assert len(set(counts)) == len(counts)
        assert counts[-1] == 2

    def test_comes_back_from_its_file_with_its_class_names(self, backbone, build_once, class_names, images, tmp_path):
        trained = build_once(backbone)
        trained.save(tmp_path / "model.keras")
        loaded = Classifier.load(tmp_path / "model.keras")
        assert loaded.class_names == tuple(class_names)
        before, after = (keras.ops.convert_to_numpy(one.network(images)) for one in (trained, loaded))
        assert after == pytest.approx(before, abs=1e-6)

    def test_a_plain_call_infers_and_changes_nothing(self, backbone, class_names, images, tmp_path):
        built = build(backbone, class_names)
        built.save(tmp_path / "model.keras")
        for network in (built.network, Classifier.load(tmp_path / "model.keras").network):
            before = [keras.ops.convert_to_numpy(variable).copy() for variable in network.variables]
            expected = network.predict(images, verbose=0)
            for batch in (images, images.astype("float32")):
                assert keras.ops.convert_to_numpy(network(batch)) == pytest.approx(expected, abs=1e-6)
            assert all((old == new.numpy()).all() for old, new in zip(before, network.variables, strict=True))
            trained = keras.ops.convert_to_numpy(network(images, training=True))
            assert not np.allclose(trained, expected, atol=1e-6)  # dropout, and batch norm where there is one

    def test_takes_a_weights_file_of_its_own(self, backbone, class_names, tmp_path):
        row = architecture.get(backbone)
        size = max(32, row.smallest_input)
        keras.utils.clear_session()
        base = getattr(keras.applications, row.title)(include_top=False, weights=None, input_shape=(size, size, 3))
        path = tmp_path / "own.weights.h5"
        base.save_weights(path)
        network = build(backbone, class_names, weights=str(path)).network
        loaded = [one.numpy() for one in network.weights[:-2]]
        assert all((ours == theirs.numpy()).all() for ours, theirs in zip(loaded, base.weights, strict=True))


def test_it_is_what_every_classifier_is():
    assert isinstance(make_reader().classifier, base.Classifier)


def test_predicts_rows_of_an_array_as_images_at_hand():
    classifier = make_reader().classifier
    fields = np.stack([shade(brightness) for brightness in range(20, 220, 20)])
    rows = np.array([3, 0, 9, 4, 4])
    held, chosen = classifier.predict(fields, batch_size=4), classifier.predict(fields, rows, 2)
    assert chosen.probabilities == pytest.approx(held.probabilities[rows], abs=1e-6)
    assert chosen.features == pytest.approx(held.features[rows], abs=1e-6)
    assert held.probabilities == pytest.approx(keras.ops.convert_to_numpy(classifier.network(fields)), abs=1e-6)
    assert (held.probabilities.dtype, held.features.shape) == (np.float32, (10, 2))


@pytest.mark.slow
def test_a_model_that_was_saved_to_train_when_called_is_mended(class_names, images, tmp_path, caplog):
    network = build("mobilenet_v2", class_names).network
    layers = keras.models.clone_model(network, call_function=_call_as_before)
    layers.set_weights(network.get_weights())
    Classifier(layers, tuple(class_names)).save(tmp_path / "model.keras")
    expected = network.predict(images, verbose=0)
    spoilt = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert not np.allclose(keras.ops.convert_to_numpy(spoilt(images)), expected, atol=1e-6)
    loaded = Classifier.load(tmp_path / "model.keras").network
    assert keras.ops.convert_to_numpy(loaded(images)) == pytest.approx(expected, abs=1e-6)
    assert loaded.predict(images, verbose=0) == pytest.approx(expected, abs=1e-6)
    assert "saved by an earlier version" in caplog.text


def _call_as_before(layer, *args, **options):
    return layer(*args) if layer.name == "resize" else layer(*args, **options)


@pytest.mark.slow
def test_the_file_loads_without_this_package(class_names, images, tmp_path):
    build("mobilenet_v2", class_names).save(tmp_path / "model.keras")
    code = (
        "import sys, keras, numpy as np\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r}, safe_mode=True)\n"
        "print(model.predict(np.zeros((1, 50, 50, 3), 'uint8'), verbose=0).shape)\n"
        "assert 'leukoscope' not in sys.modules"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "(1, 4)" in answer.stdout, answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["vgg16", "mobilenet_v2"])
def test_the_seed_decides_the_first_weights(backbone, class_names):
    first, same, other = (build(backbone, class_names, seed).network.get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["vgg19", "resnet50", "mobilenet_v2"])
def test_random_weights_keep_the_strength_of_the_signal(backbone, class_names, images):
    network = build(backbone, class_names).network
    features = keras.Model(network.input, network.get_layer("features").output)(images.astype("float32"))
    assert 0.1 < keras.ops.convert_to_numpy(features).std() < 5  # with Keras' own initialiser a VGG19 has 0.0003


@pytest.mark.parametrize(("given", "expected"), [(0.8, 0.8), (None, 0.999)])
def test_batch_norm_has_the_momentum_of_the_recipe(class_names, given, expected):
    network = build("mobilenet_v2", class_names, batch_norm_momentum=given).network
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in norms} == {expected}


@pytest.mark.slow
def test_what_trains_can_be_chosen_anew(class_names):
    network = build("mobilenet_v2", class_names, trainable="head").network
    assert len(network.trainable_variables) == 2
    everything = len(build("mobilenet_v2", class_names).network.trainable_variables)
    set_trainable(network, "mobilenet_v2", "block_13")
    assert 2 < len(network.trainable_variables) < everything
    set_trainable(network, "mobilenet_v2", "all")
    assert len(network.trainable_variables) == everything


def test_frozen_batch_norm_keeps_its_statistics(class_names, images):
    network = build("mobilenet_v2", class_names, trainable="block_13").network
    before = {one.path: one.numpy() for one in network.non_trainable_weights if "moving_mean" in one.path}
    network(images, training=True)
    changed = {
        one.path
        for one in network.non_trainable_weights
        if one.path in before and (one != before[one.path]).numpy().any()
    }
    assert any("block_14" in path for path in changed)
    assert not any("block_5_" in path for path in changed)


def test_mixed_precision_comes_back_as_float32_with_the_same_weights(class_names):
    keras.utils.clear_session()
    recipe = recipe_for("mobilenet_v2")
    mixed = build_classifier("mobilenet_v2", recipe, class_names, 0, "mixed_bfloat16")
    assert mixed.network.get_layer("Conv1").compute_dtype == "bfloat16"
    plain = in_float32(mixed, "mobilenet_v2", recipe)
    assert {layer.compute_dtype for layer in plain.network.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    pairs = zip(plain.network.get_weights(), mixed.network.get_weights(), strict=True)
    assert all((ours == theirs).all() for ours, theirs in pairs)


def test_a_file_without_class_names_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(InputError, match=r"model.keras is damaged \(.*leukoscope"):
        Classifier.load(tmp_path / "model.keras")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK damaged")
    with pytest.raises(InputError, match="damaged"):
        Classifier.load(tmp_path / "model.keras")


def test_a_network_ends_at_a_layer(class_names, images, monkeypatch):
    tiny.add(monkeypatch.setattr)
    ending, whole = (build(name, class_names) for name in ("tiny-at-block1_out", "tiny"))
    maps = keras.Model(whole.network.inputs, whole.network.get_layer("block1_out").output).predict(images, verbose=0)
    assert ending.predict(images).features == pytest.approx(maps.mean(axis=(1, 2)), rel=1e-4, abs=1e-4)
    with pytest.raises(InputError, match=r"Tiny has no layer 'block3' at which a network could end\. .* such as"):
        build("tiny-at-block3", class_names)
