"""Networks side by side, made of tiny ones."""

import keras
import numpy as np
import pytest
from scipy.stats import pearsonr

import tiny_backbone as tiny
from leukoscope.core.errors import InputError
from leukoscope.inference.explanation import ActivationMapper
from leukoscope.models import architecture
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.fusion import list_own_layers
from leukoscope.models.network import Classifier, build_classifier, set_trainable
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe

CLASS_NAMES = ["Benign", "Early", "Pre", "Pro"]
NAME = "tiny.other"
STAGES = (16, 32)  # channels of what each member gives


@pytest.fixture(autouse=True)
def members(monkeypatch):
    """Two architectures whose layers have the same names, and whose pixels do not."""
    tiny.add(monkeypatch.setattr)
    architecture.register("other", tiny.describe(title="Other", smallest_input=24, pixel_spread=1.0, preprocess=halve))
    architecture._fuse.cache_clear()
    yield
    architecture._fuse.cache_clear()


def halve(images):
    return keras.layers.Rescaling(1 / 255, name="halve")(images)


def build(seed: int = 0, **values) -> Classifier:
    recipe = resolve_recipe(NAME, Recipe(weights="none"), RecipeDifferences(**values))
    return build_classifier(NAME, recipe, CLASS_NAMES, seed)


@pytest.fixture
def fields(rng) -> np.ndarray:
    return rng.integers(0, 256, (12, 40, 40, 3), np.uint8)


def test_the_stages_of_all_members_are_joined(fields):
    classifier = build()
    assert classifier.parts.trunk.output.shape == (None, 2 * sum(STAGES))
    assert classifier.capabilities == {"features", "export", "epochs", "class_maps"}
    assert classifier.predict(fields).features.std() > 0.1


def test_it_has_what_all_of_its_members_need():
    row = architecture.get(NAME)
    assert (row.title, row.smallest_input, row.members) == ("Tiny + Other", 24, ("tiny", "other"))
    assert row.parameters == 2 * tiny.describe().parameters
    with pytest.raises(InputError, match="There is no architecture 'othr': did you mean 'other'"):
        architecture.get("tiny.othr")


def test_each_member_starts_as_it_would_alone():
    trunk = build().network
    alone = build_classifier(
        "tiny", resolve_recipe("tiny", Recipe(weights="none"), RecipeDifferences()), CLASS_NAMES, 0
    )
    kernel = alone.network.get_layer("block1_conv").kernel
    assert np.array_equal(trunk.get_layer("tiny__block1_conv").kernel, kernel)
    other = keras.ops.convert_to_numpy(trunk.get_layer("other__block1_conv").kernel)
    assert other.std() == pytest.approx(keras.ops.convert_to_numpy(kernel).std() * 64, rel=0.2)  # by its pixels' spread


def test_without_its_slice_a_member_says_nothing(fields):
    classifier = build()
    kernel, bias = classifier.parts.head.get_weights()
    whole = classifier.predict(fields)
    kernel[: sum(STAGES)] = 0
    classifier.parts.head.set_weights([kernel, bias])
    own = Classifier(classifier.network, tuple(CLASS_NAMES)).predict(fields)
    expected = whole.features[:, sum(STAGES) :] @ kernel[sum(STAGES) :] + bias
    assert np.log(own.probabilities) - np.log(own.probabilities[:, :1]) == pytest.approx(
        expected - expected[:, :1], abs=1e-3
    )


@pytest.fixture
def used(rng) -> Classifier:
    """One whose batch norms have seen something."""
    classifier = build(head_norm=True)
    for layer in classifier.network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, weights.shape) for weights in layer.get_weights()])
    return classifier


def test_what_each_place_of_each_stage_adds_is_the_score(used, fields):
    maps = used.parts.feature_maps.predict_on_batch(fields)
    kernels = [pooled.kernel for pooled in used.parts.pooled_maps]
    assert [kernel.shape[0] for kernel in kernels] == [*STAGES, *STAGES]
    added = sum(one.mean(axis=(1, 2)) @ kernel for one, kernel in zip(maps, kernels, strict=True))
    scores = used.score(used.predict(fields))
    assert added - added[0] == pytest.approx(scores - scores[0], abs=1e-3)
    assert np.ptp(scores, axis=0).min() > 0.01


def test_a_map_is_the_sum_of_those_of_all_stages(used, fields, tmp_path):
    used.save(tmp_path / "model.keras")
    mapper = ActivationMapper(Classifier.load(tmp_path / "model.keras"))
    classes = np.arange(12) % 4
    maps = used.parts.feature_maps.predict_on_batch(fields)
    by_stage = [
        np.einsum("nhwc,cn->nhw", one, pooled.kernel[:, classes])
        for one, pooled in zip(maps, used.parts.pooled_maps, strict=True)
    ]
    assert len({one.shape for one in by_stage}) == 2
    side = max(one.shape[1] for one in by_stage)
    expected = enlarge(np.maximum(sum(enlarge(one, side) for one in by_stage), 0), 40)
    found = mapper.map_classes(fields, classes)
    assert found.shape == (12, 40, 40)
    assert mapper.describe("Pre") == "Class activation map for Pre"
    assert (found.any(axis=(1, 2)) == expected.any(axis=(1, 2))).all()
    speaking = expected.any(axis=(1, 2))
    assert speaking.sum() > 3
    for ours, theirs in zip(found[speaking], expected[speaking], strict=True):
        assert pearsonr(ours.ravel(), theirs.ravel()).statistic > 0.97


def enlarge(maps: np.ndarray, side: int) -> np.ndarray:
    large = keras.ops.image.resize(maps[..., None].astype("float32"), (side, side), "bicubic", antialias=False)
    return keras.ops.convert_to_numpy(large)[..., 0]


def test_every_member_learns(fields, rng):
    network = build().network
    network.compile("sgd", "categorical_crossentropy")
    kernels = {name: network.get_layer(f"{name}__block1_conv") for name in ("tiny", "other")}
    before = {name: layer.get_weights()[0] for name, layer in kernels.items()}
    network.fit(fields, np.eye(4)[rng.integers(0, 4, len(fields))], epochs=2, verbose=0)
    for name, layer in kernels.items():
        assert np.abs(layer.get_weights()[0] - before[name]).max() > 0, name


def test_it_is_saved_loaded_and_folded_as_any_network(fields, tmp_path):
    classifier = build()
    expected = classifier.predict(fields).probabilities
    classifier.save(tmp_path / "model.keras")
    assert Classifier.load(tmp_path / "model.keras").predict(fields).probabilities == pytest.approx(expected, abs=1e-6)
    folded = fold_batch_norms(classifier.network)
    norms = [layer for layer in folded.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 2 * len(STAGES)  # those behind a pooling stay
    assert keras.ops.convert_to_numpy(folded(fields)) == pytest.approx(expected, abs=1e-5)


def test_weights_of_the_whole_trunk_are_taken_from_a_file(fields, tmp_path):
    first = build(seed=1)
    file = str(tmp_path / "trunk.weights.h5")
    first.parts.trunk.save_weights(file)
    second = build(seed=2, weights=file)
    assert second.predict(fields).features == pytest.approx(first.predict(fields).features, abs=1e-6)


def test_the_head_alone_trains_without_the_members():
    network = build().network
    set_trainable(network, NAME, "head")
    assert {weights.path.split("/")[-2] for weights in network.trainable_variables} == {"probabilities"}
    trunk = build().parts.trunk
    assert list_own_layers(trunk, "tiny")
    assert not {layer.name for layer in list_own_layers(trunk, "tiny")} & {
        layer.name for layer in list_own_layers(trunk, "other")
    }


def test_a_network_that_gives_no_maps_is_no_member(monkeypatch):
    def build_vector(images, weights):
        trunk = tiny.build(images, weights)
        return keras.Model(trunk.inputs, keras.layers.Flatten()(trunk.output))

    architecture.register("dense", tiny.describe(title="Dense", build=build_vector))
    recipe = resolve_recipe("tiny.dense", Recipe(weights="none"), RecipeDifferences())
    with pytest.raises(InputError, match="Dense cannot be a member of a fusion"):
        build_classifier("tiny.dense", recipe, CLASS_NAMES, 0)


@pytest.mark.slow
def test_the_presets_are_as_wide_as_published():
    recipe = resolve_recipe("vgg16.mobilenet", Recipe(weights="none", input_size=64), RecipeDifferences())
    network = build_classifier("vgg16.mobilenet", recipe, CLASS_NAMES, 0)
    assert network.parts.trunk.output.shape == (None, 1280 + 1792)
    trained = sum(int(np.prod(variable.shape)) for variable in network.network.trainable_variables)
    assert trained == 14_714_688 + 3_206_976 + 2 * 3072 + 3072 * 4 + 4
