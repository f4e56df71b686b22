"""Networks that read strips of cells."""

from functools import partial

import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.network import Classifier, build_classifier, set_trainable
from leukoscope.models.outline import outline_network
from leukoscope.training.optimizers import share_rates
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe

CLASS_NAMES = ["Benign", "Early", "Pre", "Pro"]
GREY = 230


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))


def build(name: str = "tiny-cells-attention", **values) -> Classifier:
    recipe = resolve_recipe(name, Recipe(weights="none", input_size=24), RecipeDifferences(**values))
    classifier = build_classifier(name, recipe, CLASS_NAMES, 0)
    pooling = classifier.parts.pooling
    if pooling.weights:  # as after some training: cells weigh differently
        pooling.scale.assign(np.random.default_rng(1).normal(0, 2, pooling.scale.shape))
    return classifier


@pytest.fixture
def crops(rng) -> np.ndarray:
    """Three fields of five cells each, which differ in brightness."""
    base = rng.integers(0, 200, (3, 5, 1, 1, 1))
    return (base + rng.integers(0, 56, (3, 5, 20, 20, 3))).astype(np.uint8)


def stack(crops: np.ndarray) -> np.ndarray:
    return crops.reshape(len(crops), -1, *crops.shape[3:])


def test_an_encoder_ends_at_a_layer(crops):
    reading = architecture.name_of_cells("tiny", architecture.CellReading("mean", True))
    name = architecture.name_with_end(reading, "block1_out")
    assert name == "tiny-cells-mean-grey-at-block1_out"
    classifier, whole = build(name), build("tiny-cells-mean-grey")
    for one in (classifier, whole):
        assert [layer.name for layer in one.network.layers].count("block1_out") == 1
    assert classifier.predict(stack(crops)).features.shape == (3, 16)
    maps = keras.Model(whole.network.inputs, whole.network.get_layer("block1_out").output).predict(stack(crops))
    expected = maps.mean(axis=(1, 2)).reshape(3, 5, 16).mean(axis=1)
    assert classifier.predict(stack(crops)).features == pytest.approx(expected, rel=1e-3, abs=1e-3)
    with pytest.raises(InputError, match=r"Tiny has no layer 'block1' .* such as .*block1_out") as caught:
        build("tiny-cells-mean-at-block1")
    assert "\n" not in str(caught.value)


def test_of_blocks_behind_the_end_of_an_encoder_there_is_none():
    name = "tiny-cells-mean-at-block1_out"
    network = build(name).network
    assert [block.name for (block,) in outline_network(network, name)] == ["input", "stem", "head"]
    assert set(share_rates(network, name, {"stem": 0.5}).values()) == {0.5}
    for refused in (lambda: set_trainable(network, name, "block2"), lambda: share_rates(network, name, {"block2": 1})):
        with pytest.raises(InputError, match=r"no block2 where .* ends at the layer block1_out: .* none"):
            refused()


@pytest.mark.slow
def test_an_encoder_does_not_end_at_a_layer_that_a_counter_names():
    def build_unnamed(images, weights):
        trunk = tiny.build(images, weights)
        return keras.Model(trunk.inputs, keras.layers.Conv2D(4, 1)(trunk.output))

    architecture.register("unnamed", tiny.describe(title="Unnamed", build=build_unnamed))
    keras.utils.clear_session()
    # whichever layer that is depends on what was built before
    with pytest.raises(InputError, match=r"Unnamed has no layer 'conv2d' .* that it names itself, such as \S*block"):
        build("unnamed-cells-mean-at-conv2d")


@pytest.mark.parametrize("name", ["tiny-cells-attention", "tiny-cells-mean", "tiny-cells-attention-grey"])
def test_neither_the_order_of_cells_nor_free_slots_nor_scale_matter(name, crops):
    classifier = build(name)
    expected = classifier.predict(stack(crops))
    assert np.ptp(expected.features, axis=0).max() > 0.1
    turned = classifier.predict(stack(crops[:, ::-1]))
    padded = np.concatenate([np.full((3, 3, 20, 20, 3), GREY, np.uint8), crops], axis=1)
    wider = classifier.predict(stack(padded))
    for other in (turned, wider):
        assert other.features == pytest.approx(expected.features, abs=1e-4)
        assert other.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    larger = classifier.predict(stack(crops.repeat(2, axis=2).repeat(2, axis=3)))
    assert larger.features.shape == expected.features.shape


def test_a_field_without_cells_gets_the_bias_alone(crops):
    classifier = build()
    classifier.parts.head.bias.assign([0.1, 0.2, 0.3, 0.4])
    empty = classifier.predict(np.full((1, 60, 20, 3), GREY, np.uint8))
    assert empty.features[0].tolist() == [0] * tiny.CHANNELS
    assert classifier.score(empty)[0] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_a_grey_one_sees_no_colour(crops):
    colour, grey = build(), build("tiny-cells-attention-grey")
    luminance = (crops @ np.array([0.299, 0.587, 0.114])).round()
    # Another colour of the same luminance: what is added to red is taken from green.
    other = crops.astype(float)
    other[..., 0] += 58.7 * (crops[..., 0] < 128)
    other[..., 1] -= 29.9 * (crops[..., 0] < 128)
    assert (other @ np.array([0.299, 0.587, 0.114])).round() == pytest.approx(luminance, abs=1)
    seen = [one.network.predict(stack(images), verbose=0) for one in (colour, grey) for images in (crops, other)]
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    assert np.abs(seen[2] - seen[3]).max() < 1e-4


def test_it_is_saved_loaded_and_folded_as_any_network(crops, tmp_path):
    classifier = build("tiny-cells-attention-grey", head_norm=True, centre_crop=0.8)
    expected = classifier.predict(stack(crops)).probabilities
    classifier.save(tmp_path / "model.keras")
    assert Classifier.load(tmp_path / "model.keras").predict(stack(crops)).probabilities == pytest.approx(
        expected, abs=1e-6
    )
    folded = fold_batch_norms(classifier.network)
    assert not any(layer.name.startswith("block") and "bn" in layer.name for layer in folded.layers)
    assert keras.ops.convert_to_numpy(folded(stack(crops))) == pytest.approx(expected, abs=1e-5)
    assert keras.ops.convert_to_numpy(classifier.network(stack(crops))) == pytest.approx(expected, abs=1e-5)


def test_its_head_weighs_the_cells():
    for name, layers in (
        ("tiny-cells-attention", {"features", "probabilities"}),
        ("tiny-cells-mean", {"probabilities"}),
    ):
        network = build(name).network
        set_trainable(network, name, "head")
        assert {weights.path.split("/")[-2] for weights in network.trainable_variables} == layers


def test_what_is_kept_of_a_frozen_one_gives_its_probabilities(crops):
    for name, shape in (("tiny-cells-attention", (3, 5, tiny.CHANNELS + 1)), ("tiny-cells-mean", (3, tiny.CHANNELS))):
        classifier = build(name)
        kept = classifier.parts.frozen.predict_on_batch(stack(crops))
        assert kept.shape == shape
        given = keras.Input(kept.shape[1:])
        head = keras.Model(given, classifier.parts.train_head(given))
        expected = classifier.predict(stack(crops)).probabilities
        assert head.predict_on_batch(kept) == pytest.approx(expected, abs=1e-5)


def test_a_network_that_gives_a_vector_reads_cells_too(crops):
    def build_vector(images, weights):
        trunk = tiny.build(images, weights)
        return keras.Model(trunk.inputs, keras.layers.Flatten()(trunk.output))

    architecture.register("dense", tiny.describe(title="Dense", build=build_vector))
    assert build("dense-cells-attention").predict(stack(crops)).probabilities.sum(axis=1) == pytest.approx(1)


def test_a_name_says_how_cells_are_read():
    reading = architecture.CellReading("mean", True)
    assert architecture.name_of_cells("tiny", reading) == "tiny-cells-mean-grey"
    assert architecture.get("tiny-cells-mean-grey").cells == reading
    assert architecture.get("tiny").cells is None
    with pytest.raises(InputError, match="There is no attention 'cells-median'"):
        architecture.get("tiny-cells-median")


def test_its_outline_is_from_the_strip_to_the_pooling_of_cells():
    blocks = [block for (block,) in outline_network(build().network, "tiny-cells-attention")]
    assert [block.name for block in blocks] == ["input", "stem", "block2", "head"]
    assert blocks[0].contents == ("strip of cells",)
    assert blocks[2].shape == (5, 5, tiny.CHANNELS)
    assert {"mask of free slots", "global average pooling", "pooling of cells"} <= set(blocks[3].contents)
