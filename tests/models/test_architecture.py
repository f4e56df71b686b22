"""The registry, and what holds for each architecture in it."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partialmethod

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import load_weights_from_hdf5_group, save_weights_to_hdf5_group

import tiny_backbone as tiny
from leukoscope.backend import kernels
from leukoscope.core.errors import InputError
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.inference.explanation import ActivationMapper
from leukoscope.inference.exporting import FORMATS, Exporter
from leukoscope.models import architecture
from leukoscope.models.architecture import After
from leukoscope.models.network import Classifier, build_classifier, set_trainable
from leukoscope.models.parts import Parts
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from networks import LIGHT, VECTORS, mark_slow

CLASS_NAMES = ["Benign", "Early", "Pre", "Pro"]
QUICK = {"mobilenet"}
# Millions with moving statistics and the top for 1,000 classes: https://keras.io/api/applications
PUBLISHED = {"resnet50": 25.6, "resnet50_v2": 25.6, "vgg16": 138.4, "vgg19": 143.7, "mobilenet": 4.3}
PUBLISHED |= {"mobilenet_v3_small": 0.939120 + 0.577}  # its top for 1,000 classes has a layer more
PUBLISHED |= {
    "mobilenet_v2": 3.5,
    "inception_v3": 23.9,
    "inception_resnet_v2": 55.9,
    "xception": 22.9,
}
PUBLISHED |= {"densenet121": 8.1, "densenet201": 20.2, "nasnet_mobile": 5.3, "nasnet_large": 88.9}
PUBLISHED |= {"efficientnet_v2_b0": 7.2, "efficientnet_v2_s": 21.6, "convnext_tiny": 28.6}
PUBLISHED |= {"two_channel": 2 * 20.242984}  # twice a DenseNet201
# With the head for so many classes, without moving statistics: of torchvision's documentation, or worked out by hand.
COUNTED = {"resnet50_v15": (1000, 25_557_032), "resnext50": (1000, 25_028_904), "se_resnext50": (1000, 27_559_896)}
COUNTED |= {"alexnet": (1000, 60_965_224), "alexnet_owt": (1000, 61_100_840)}
COUNTED |= {"googlenet": (1000, 6_998_552), "googlenet_bn": (1000, 6_624_904)}
COUNTED |= {"sdct_cnn": (2, 95_371), "leukonet_style": (4, 2_322_372)}
COUNTED |= {"four_layer_cnn": (4, 98_436), "four_layer_cnn_unmasked": (4, 98_436)}
# Which layers of our own a network has.
OWN_LAYERS = {"resnext50": {"GroupedConv2D"}, "se_resnext50": {"GroupedConv2D", "SqueezeExcitation"}}
OWN_LAYERS |= {"alexnet": {"AdaptiveAverage", "GroupedConv2D", "LocalResponseNormalization"}}
OWN_LAYERS |= {"alexnet_owt": {"AdaptiveAverage"}}
OWN_LAYERS |= {"googlenet": {"LocalResponseNormalization"}}
OWN_LAYERS |= {"sdct_cnn": {"OpticalDensity", "StainDeconvolution", "Dct2D", "BilinearPooling"}}
OWN_LAYERS |= {"leukonet_style": {"OpticalDensity", "Dct2D"}}
OWN_LAYERS |= {"four_layer_cnn": {"NucleusMask"}, "two_channel": {"NucleusMask"}}
# What Keras calls layers without a name of their own, before a number.
COUNTED_NAMES = "add multiply concatenate activation re_lu dropout dense conv2d depthwise_conv2d separable_conv2d"
COUNTED_NAMES += " batch_normalization layer_normalization zero_padding2d max_pooling2d custom_scale_layer"
# The tops that are more than one dense layer.
_VGG_TOP = 25088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
TOPS = {"vgg16": _VGG_TOP, "vgg19": _VGG_TOP, "convnext_tiny": 2 * 768 + 768 * 1000 + 1000}


NAMES = mark_slow(architecture.list_names(), but=LIGHT)
costly = pytest.mark.parametrize("name", mark_slow(architecture.list_names(), but=QUICK), scope="module")


def build(name: str, seed: int = 0, **values) -> Classifier:
    size = max(32, architecture.get(name).smallest_input)
    recipe = resolve_recipe(name, Recipe(weights="none", input_size=size), RecipeDifferences(**values))
    return build_classifier(name, recipe, CLASS_NAMES, seed)


def draw_fields(count: int = 8) -> np.ndarray:
    """Draw fields of coarse squares, of which no two are of the same colours."""
    squares = np.random.default_rng(0).integers(0, 256, (count, 6, 6, 3), np.uint8)
    return squares.repeat(8, axis=1).repeat(8, axis=2)


class TestRegistry:
    def test_an_unknown_name_is_an_input_error_with_the_nearest_ones(self):
        with pytest.raises(InputError, match=r"There is no architecture 'resnet5': did you mean 'resnet50' or"):
            architecture.get("resnet5")
        with pytest.raises(ValueError, match=r"'vgg': did you mean 'vgg.*known are resnet50, vgg16, vgg19"):
            architecture.require("vgg")

    def test_no_two_have_one_name(self, monkeypatch):
        tiny.add(monkeypatch.setattr)
        with pytest.raises(ValueError, match="there is an architecture 'tiny' already: Tiny"):
            architecture.register(tiny.NAME, tiny.describe())

    def test_what_is_registered_can_be_built(self, monkeypatch):
        tiny.add(monkeypatch.setattr)
        assert architecture.list_names()[-1] == tiny.NAME
        assert build(tiny.NAME).network.output_shape == (None, 4)

    def test_asking_for_facts_loads_no_keras(self):
        code = (
            "import sys\n"
            "from leukoscope.models import architecture, base\n"
            "rows = [architecture.get(name) for name in architecture.list_names()]\n"
            "assert all(row.title and row.blocks and row.origin and row.saved_by for row in rows)\n"
            "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_a_backend_that_cannot_run_it_is_an_input_error(self, monkeypatch):
        tiny.add(monkeypatch.setattr)
        monkeypatch.setitem(architecture._registry, tiny.NAME, tiny.describe(backends=("other", "another")))
        with pytest.raises(InputError, match=r"cannot build Tiny .* Set KERAS_BACKEND to other or another"):
            build(tiny.NAME)

    def test_a_trunk_may_end_in_a_vector(self, monkeypatch):
        def end_in_vector(images, weights):
            trunk = tiny.build(images, weights)
            vector = keras.layers.Dense(6, activation="relu")(keras.layers.Flatten()(trunk.output))
            return keras.Model(trunk.inputs, vector)

        tiny.add(monkeypatch.setattr)
        monkeypatch.setitem(architecture._registry, tiny.NAME, tiny.describe(build=end_in_vector))
        classifier = build(tiny.NAME)
        assert classifier.capabilities == {"features", "export", "epochs"}
        assert classifier.predict(draw_fields()).features.shape == (8, 6)
        with pytest.raises(InputError, match=r"tiny has no feature maps.*by occlusion"):
            _ = classifier.parts.feature_maps


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    return request.param


# The networks of one architecture at a time, by what was done with them: a fixture of the module outlived its name.
_kept: dict[tuple[str, str], Classifier] = {}


def keep(name: str, what: str, make: Callable[[str], Classifier]) -> Classifier:
    if any(kept != name for kept, _ in _kept):
        _kept.clear()
        keras.utils.clear_session()
    if (name, what) not in _kept:
        _kept[name, what] = make(name)
    return _kept[name, what]


@pytest.fixture
def built(name) -> Classifier:
    """After others in the same process, so that the counters of unnamed layers are not where they start."""
    return keep(name, "built", build)


@pytest.fixture
def trained(name) -> Classifier:
    """Another one, after three steps of training as trainings compute them."""
    return keep(name, "trained", train)


def train(name: str) -> Classifier:
    network = build(name).network
    kernels.use_faster_kernels(network)
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    network.before = {one.path: keras.ops.convert_to_numpy(one) for one in network.trainable_variables}
    losses = [network.train_on_batch(draw_fields(), np.arange(8) % 4) for _ in range(3)]
    assert np.isfinite(losses).all()
    return Classifier(network, tuple(CLASS_NAMES), "splits", 48)


def names_of(network: keras.Model) -> list[str]:
    return [layer.name for layer in network.layers]


class TestEveryArchitecture:
    def test_blocks_are_in_order_and_named_alike_in_every_build(self, name, built, trained):
        row = architecture.get(name)
        for network in (built.network, trained.network):
            places = [row.find_block(block, names_of(network)) for block in row.blocks]
            assert places == sorted(set(places))
            assert all(place > names_of(network).index("resize") for place in places)

    def test_a_first_layer_is_named_or_follows_a_named_one(self, name):
        """What Keras' counter names is another layer in the next build."""
        for start in architecture.get(name).blocks.values():
            layer = start.layer if isinstance(start, After) else start
            assert re.sub(r"_\d+$", "", layer) not in COUNTED_NAMES.split(), "give the named layer before it, as After"

    def test_trains_from_each_block_on_only(self, name, built):
        network, counts = built.network, []
        for part in ("all", *architecture.get(name).blocks, "head"):
            set_trainable(network, name, part)
            counts.append(len(network.trainable_weights))
        set_trainable(network, name, "all")
        assert counts == sorted(set(counts), reverse=True)
        assert counts[-1] == 2

    def test_has_as_many_parameters_as_published(self, name, built):
        parts = built.parts
        channels = parts.head.kernel.shape[0]
        trains = sum(int(np.prod(one.shape)) for one in built.network.trainable_variables)
        assert trains - parts.head.count_params() == architecture.get(name).parameters
        if name in COUNTED:
            classes, count = COUNTED[name]
            assert architecture.get(name).parameters + (channels + 1) * classes == count
            return
        if name not in PUBLISHED:  # a row's own number of parameters is enough
            return
        with_statistics = built.network.count_params() - parts.head.count_params()
        top = TOPS.get(name, channels * 1000 + 1000)
        assert (with_statistics + top) / 1e6 == pytest.approx(PUBLISHED[name], abs=0.0501)

    def test_random_weights_tell_images_apart_and_all_learn(self, built, trained):
        """Residual branches that are silenced on both sides, or signals that die out, would leave nothing to learn."""
        features = built.predict(draw_fields()).features
        assert features.std(axis=0).mean() > 1e-3
        still = {
            path
            for path, before in trained.network.before.items()
            if "kernel" in path and (keras.ops.convert_to_numpy(find(trained.network, path)) == before).all()
        }
        assert still == set()

    @costly
    def test_comes_back_from_a_file_of_keras(self, name, trained, tmp_path):
        trained.save(tmp_path / "model.keras")
        loaded = Classifier.load(tmp_path / "model.keras")
        assert loaded.fingerprint == trained.fingerprint
        assert (loaded.class_names, loaded.trained_on, loaded.image_size) == (tuple(CLASS_NAMES), "splits", 48)
        config = zipfile.ZipFile(tmp_path / "model.keras").read("config.json").decode()
        assert set(re.findall(r"leukoscope>(\w+)", config)) == OWN_LAYERS.get(name, set())
        assert ("leukoscope" in config) == (name in OWN_LAYERS)
        fields = draw_fields(3)
        plain, again = (keras.ops.convert_to_numpy(one.network(fields)) for one in (trained, loaded))
        assert again == pytest.approx(plain, abs=1e-4)
        folded = loaded.predict(fields)
        assert folded.probabilities == pytest.approx(plain, abs=1e-4)
        maps = set() if name in VECTORS else {"class_maps"}
        assert loaded.capabilities == {"features", "export", "epochs"} | maps

    @costly
    def test_maps_where_a_class_is_seen(self, trained):
        """The last maps' sum by a class's weights has the class's score as its mean."""
        if "class_maps" not in trained.capabilities:
            pytest.skip("a network that ends in a vector is explained by occlusion")
        maps = trained.parts.feature_maps.predict_on_batch(draw_fields(2))
        kernel, bias = trained.parts.head.get_weights()
        scores = np.log(trained.predict(draw_fields(2)).probabilities)
        ours = np.einsum("nhwc,ck->nhwk", maps, kernel).mean(axis=(1, 2)) + bias
        scale = np.abs(ours).max() + 1
        difference = (ours - ours.mean(axis=1, keepdims=True)) - (scores - scores.mean(axis=1, keepdims=True))
        assert np.abs(difference).max() < 1e-3 * scale
        heat = ActivationMapper(trained).map_classes(draw_fields(2), np.array([0, 1]))
        assert heat.shape == (2, 48, 48)
        assert 0 <= heat.min() <= heat.max() <= 1


def find(network: keras.Model, path: str) -> keras.Variable:
    return next(one for one in network.trainable_variables if one.path == path)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="models are exported under TensorFlow")
@costly
def test_every_architecture_is_exported(name, trained):
    fields = draw_fields()
    exporter = Exporter(trained, 1.5, {"class_names": CLASS_NAMES}, fields)
    expected = apply_temperature(trained.predict(fields).probabilities, 1.5)
    for kind in FORMATS.values():
        predict = kind.load(kind.write(exporter, "float32"))
        assert predict(fields) == pytest.approx(expected, abs=1e-3), kind.title


@costly
def test_imagenet_weights_are_loaded_into_the_same_network(name, monkeypatch, tmp_path):
    """Keras' own file of them is topological; a network whose layers depend on the weights would take it otherwise."""
    row = architecture.get(name)
    if not hasattr(keras.applications, row.title):
        pytest.skip("it is not Keras' own")
    size = max(32, row.smallest_input)
    kept = getattr(keras.applications, row.title)(include_top=False, weights=None, input_shape=(size, size, 3))
    with h5py.File(tmp_path / "kept.h5", "w") as file:
        save_weights_to_hdf5_group(file, kept)
    asked = []
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda file, *_, **__: asked.append(file) or file)
    monkeypatch.setattr(keras.Model, "load_weights", partialmethod(_load, tmp_path / "kept.h5"))
    network = build(name, weights="imagenet").network
    assert re.search(r"no_?top.*h5$", asked[0])
    pairs = list(zip(network.get_weights()[:-2], kept.get_weights(), strict=True))
    assert all((ours.ravel() == theirs.ravel()).all() for ours, theirs in pairs)
    fields = np.tile(draw_fields(2), (1, 2, 2, 1))[:, :size, :size]
    prepared = row.preprocess(fields.astype("float32"))
    expected = keras.ops.convert_to_numpy(kept(prepared, training=False))
    ours = Parts(network).feature_maps(fields, training=False)
    assert keras.ops.convert_to_numpy(ours) == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))


def _load(model: keras.Model, kept, asked: str) -> None:
    with h5py.File(kept) as file:
        load_weights_from_hdf5_group(file, model)
