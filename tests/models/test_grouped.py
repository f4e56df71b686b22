import keras
import numpy as np
import pytest
from keras import layers

from leukoscope.backend import kernels
from leukoscope.models.grouped import GroupedConv2D

OPTIONS = [{}, {"strides": 2, "padding": "same", "use_bias": False}, {"dilation_rate": 2, "activation": "relu"}]


@pytest.fixture
def images(rng) -> np.ndarray:
    return rng.normal(size=(2, 9, 9, 12)).astype("float32")


def build_pair(groups: int, **options) -> list[keras.Model]:
    """Build our layer and Keras' own, with the same weights."""
    kinds = [kind(24, 3, groups=groups, **options) for kind in (GroupedConv2D, layers.Conv2D)]
    pair = [keras.Sequential([keras.Input((9, 9, 12)), layer]) for layer in kinds]
    pair[1].set_weights(pair[0].get_weights())
    return pair


def infer(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("groups", [1, 2, 4, 12])
def test_gives_what_kerases_own_gives(groups, options, images):
    ours, theirs = build_pair(groups, **options)
    assert ours.layers[0].kernel.shape == theirs.layers[0].kernel.shape
    assert infer(ours, images) == pytest.approx(infer(theirs, images), abs=1e-5)
    assert ours.output_shape == theirs.output_shape


@pytest.mark.parametrize("groups", [4, 12])
def test_learns_what_kerases_own_learns(groups, images):
    pair = build_pair(groups, padding="same")
    before = pair[0].get_weights()
    for model in pair:
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.train_on_batch(images, np.ones((2, 9, 9, 24), "float32"))
    ours, theirs = (model.get_weights() for model in pair)
    assert np.abs(ours[0] - before[0]).max() > 1e-3
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_a_kernel_spread_over_all_channels_is_one_of_groups(images):
    grouped = build_pair(4)[1].layers[0]
    spread = kernels.spread_kernel(grouped.kernel, 4)
    assert spread.shape == (3, 3, 12, 24)
    assert (keras.ops.convert_to_numpy(spread)[:, :, :3, 6:] == 0).all()
    ours = keras.ops.conv(images, spread, padding="valid", data_format="channels_last")
    theirs = keras.ops.conv(images, grouped.kernel, padding="valid", data_format="channels_last")
    assert keras.ops.convert_to_numpy(ours) == pytest.approx(keras.ops.convert_to_numpy(theirs), abs=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends have one way")
def test_tensorflow_computes_by_its_own_kernel_where_that_has_a_gradient(images, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    kernel = tf.ones((3, 3, 3, 24))
    try:
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            outputs = tf.nn.conv2d(images, kernel, 1, "SAME")
        learns = tape.gradient(outputs, kernel) is not None
    except tf.errors.OpError:
        learns = False
    calls = []
    spread = kernels.spread_kernel
    monkeypatch.setattr(kernels, "spread_kernel", lambda *given: calls.append(given) or spread(*given))
    traced = tf.function(build_pair(4)[0])
    kernels._tensorflow_learns_in_groups.cache_clear()
    traced(images)
    assert len(calls) == (0 if learns else 1)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends have one way")
def test_without_a_gradient_of_its_own_tensorflow_spreads_the_kernel(images, monkeypatch):
    ours, theirs = build_pair(4, padding="same")
    expected = infer(theirs, images)
    monkeypatch.setattr(kernels, "_tensorflow_learns_in_groups", lambda: False)
    calls = []
    spread = kernels.spread_kernel
    monkeypatch.setattr(kernels, "spread_kernel", lambda *given: calls.append(given) or spread(*given))
    assert infer(ours, images) == pytest.approx(expected, abs=1e-5)
    assert len(calls) == 1


def test_it_computes_in_the_precision_of_its_policy(images):
    layer = GroupedConv2D(24, 3, groups=4, dtype="mixed_bfloat16")
    given = layer(images)
    assert keras.backend.standardize_dtype(given.dtype) == "bfloat16"
    plain = GroupedConv2D(24, 3, groups=4)
    plain.build(images.shape)
    plain.set_weights(layer.get_weights())
    expected = keras.ops.convert_to_numpy(plain(images))
    assert keras.ops.convert_to_numpy(keras.ops.cast(given, "float32")) == pytest.approx(expected, abs=0.05)
