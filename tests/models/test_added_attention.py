"""Attention added to architectures that have none of their own."""

import keras
import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.backend import kernels
from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.architecture import After
from leukoscope.models.attention import EfficientChannelAttention, SqueezeExcitation
from leukoscope.models.network import Classifier, build_classifier, set_trainable
from leukoscope.pipelines.training.nodes import resolve_recipe as describe_training
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from leukoscope.training.trainer import Trainer
from made_entries import make_entry
from networks import mark_slow

KINDS = {"eca": EfficientChannelAttention, "se": SqueezeExcitation}
# Of dense layers, which are blocks too, none has any; nor has one where two branches meet.
PLACES = {"alexnet": 5, "alexnet_owt": 5, "leukonet_style": 4}
# Whose blocks begin and end in different ways.
VARIED = ["vgg16", "resnet50", "mobilenet_v2", "inception_v3", "densenet121", "xception", "convnext_tiny", "alexnet"]
NAMES = [tiny.NAME, *mark_slow(VARIED, but=())]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch) -> None:
    tiny.add(monkeypatch.setattr)


def build(name: str, class_names, seed: int = 0, **values) -> Classifier:
    plain = name.partition("-")[0]
    shared = Recipe(weights="none", input_size=max(32, architecture.get(plain).smallest_input))
    return build_classifier(name, resolve_recipe(plain, shared, RecipeDifferences(**values)), class_names, seed)


def find_attentions(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in network.layers if layer.name.startswith("attention_")]


def name_neighbours(layer: keras.Layer) -> tuple[str, str]:
    """Name the layers before and behind a layer."""
    before, behind = layer._inbound_nodes[0].parent_nodes[0], layer._outbound_nodes[0]
    return before.operation.name, behind.operation.name


def draw_fields(count: int) -> np.ndarray:
    squares = np.random.default_rng(0).integers(0, 256, (count, 6, 6, 3), np.uint8)
    return squares.repeat(8, axis=1).repeat(8, axis=2)


class TestVgg16:
    @pytest.fixture(scope="class")
    def network(self, class_names) -> keras.Model:
        return build("vgg16-eca", class_names).network

    def test_has_as_many_parameters_as_worked_out(self, network):
        assert network.count_params() - 4 * (512 + 1) == 14_714_711
        sizes = [layer.kernel.shape[0] for layer in find_attentions(network)]
        assert sizes == [3, 5, 5, 5, 5]

    def test_it_stands_between_the_last_convolution_of_a_block_and_its_pooling(self, network):
        places = [name_neighbours(layer) for layer in find_attentions(network)]
        assert places == [(f"block{n}_conv{2 if n < 3 else 3}", f"block{n}_pool") for n in range(1, 6)]

    def test_a_block_that_trains_leaves_the_attention_before_it(self, network):
        set_trainable(network, "vgg16-eca", "block5")
        assert [layer.trainable for layer in find_attentions(network)] == [False] * 4 + [True]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_network_starts_as_without_it_and_all_of_it_learns(name, kind, class_names):
    keras.utils.clear_session()
    plain, attended = (build(one, class_names, seed=3) for one in (name, f"{name}-{kind}"))
    fields = draw_fields(8)
    expected, features = (one.predict(fields).features for one in (plain, attended))
    assert features == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))
    attentions = find_attentions(attended.network)
    assert {type(layer) for layer in attentions} == {KINDS[kind]}
    assert len(attentions) == PLACES.get(name, len(architecture.get(name).blocks) + 1)
    kernels.use_faster_kernels(attended.network)
    attended.network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    before = {one.path: keras.ops.convert_to_numpy(one) for layer in attentions for one in layer.trainable_variables}
    for _ in range(3):
        attended.network.train_on_batch(fields, np.arange(8) % 4)
    after = [one for layer in attentions for one in layer.trainable_variables if "kernel" in one.path]
    assert [one.path for one in after if (keras.ops.convert_to_numpy(one) == before[one.path]).all()] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_block_starts_behind_the_attention_of_the_one_before(name, class_names):
    names = [layer.name for layer in build(f"{name}-eca", class_names).network.layers]
    row = architecture.get(name)
    for block, start in row.blocks.items():
        place = row.find_block(block, names)
        assert not names[place].startswith("attention_")
        if isinstance(start, After):
            assert names[place - 1].startswith("attention_")


def test_it_comes_back_from_a_file(class_names, rng, tmp_path):
    classifier = build("tiny-se", class_names)
    for layer in find_attentions(classifier.network):
        layer.set_weights([rng.normal(size=one.shape) for one in layer.weights])
    classifier.save(tmp_path / "model.keras")
    loaded = Classifier.load(tmp_path / "model.keras")
    fields = draw_fields(4)
    assert loaded.predict(fields).probabilities == pytest.approx(classifier.predict(fields).probabilities, abs=1e-5)
    assert loaded.fingerprint == classifier.fingerprint


def test_the_seed_decides_its_first_weights(class_names):
    first, same, other = (
        find_attentions(build("tiny-se", class_names, seed=seed).network)[0].get_weights()[0] for seed in (1, 1, 2)
    )
    assert (first == same).all()
    assert (first != other).any()


@pytest.mark.slow
def test_an_entry_is_trained_with_its_attention_and_recalled(class_names, tmp_path):
    values = {"epochs": 1, "learning_rate": 1e-3, "precision": "mixed_bfloat16"}
    recipe = resolve_recipe(tiny.NAME, Recipe(weights="none", input_size=32), RecipeDifferences(**values))
    images = LabelledImages(draw_fields(16), np.arange(16), np.arange(16) % 4, np.ones(16))
    journal = TrainingJournal(tmp_path / "journal")
    journal.start(values)
    trained, again = (
        Trainer("tiny-se", recipe, class_names, images, images, {}, journal, seed=1).fit() for _ in range(2)
    )
    assert len(find_attentions(trained.network)) == 2
    assert keras.ops.any(find_attentions(trained.network)[0].excite.kernel != 0)
    assert again.fingerprint == trained.fingerprint


def test_what_determines_a_training_has_the_attention_only_if_there_is_one():
    entries = [make_entry("vgg16"), make_entry("vgg16_eca", architecture="vgg16", attention="eca")]
    described = [describe_training(Recipe(weights="none"), entry) for entry in entries]
    assert [facts["architecture"] for facts in described] == ["vgg16", "vgg16-eca"]
    assert described[0]["recipe"] == described[1]["recipe"]
    assert "attention" not in described[0] | described[0]["recipe"]
    assert [entry.title for entry in entries] == ["VGG16", "vgg16_eca"]


def test_another_attention_is_refused():
    with pytest.raises(InputError, match=r"There is no attention 'cbam': known are eca, se\."):
        architecture.get("vgg16-cbam")
