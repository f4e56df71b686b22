import keras
import numpy as np
import pytest
from keras import layers

import tiny_backbone as tiny
from leukoscope.models.initialisation import initialise, walk_layers


def build_sum(first, second) -> keras.Model:
    """Sum what two chains of layers make of the same maps."""
    image = keras.Input((8, 8, 4))
    ends = []
    for chain in (first, second):
        end = image
        for layer in chain:
            end = layer(end)
        ends.append(end)
    return keras.Model(image, layers.Add()(ends))


def find_silent(model: keras.Model) -> list[str]:
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization) and layer.scale]
    return [norm.name for norm in norms if not np.any(norm.gamma.numpy())]


@pytest.mark.parametrize(("branch", "silent"), [(None, []), (0, ["first"]), (1, ["second"])])
def test_only_the_branch_that_the_row_names_starts_at_zero(branch, silent):
    chains = [[layers.Conv2D(4, 1), layers.BatchNormalization(name=name)] for name in ("first", "second")]
    model = build_sum(*chains)
    initialise(model, tiny.describe(branch=branch), 0)
    assert find_silent(model) == silent


@pytest.mark.parametrize(
    ("after", "silent"),
    [([layers.Dropout(0.2)], ["norm"]), ([layers.ReLU()], []), ([layers.MaxPooling2D(1)], [])],
)
def test_a_branch_ends_in_its_batch_norm_or_in_dropout_behind_it(after, silent):
    """Behind a rectifier a zero would have no gradient."""
    model = build_sum([layers.Conv2D(4, 1), layers.BatchNormalization(name="norm"), *after], [])
    initialise(model, tiny.describe(branch=0), 0)
    assert find_silent(model) == silent


def test_models_in_a_model_are_drawn_too():
    inner = keras.Sequential([layers.Conv2D(8, 3, name="inner")])
    model = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 3, name="outer"), inner])
    assert [layer.name for layer in walk_layers(model)] == ["outer", "inner"]
    before = [layer.kernel.numpy() for layer in walk_layers(model)]
    initialise(model, tiny.describe(pixel_spread=2.0), 5)
    first, second = (layer.kernel.numpy() for layer in walk_layers(model))
    assert not np.allclose(first, before[0])
    expected = [keras.initializers.HeNormal(seed)(kernel.shape) for seed, kernel in ((5, first), (6, second))]
    assert first == pytest.approx(expected[0].numpy() / 2)
    assert second == pytest.approx(expected[1].numpy())


def test_a_signal_keeps_its_strength_through_separable_convolutions(rng):
    chain = [keras.Input((32, 32, 64))]
    for _ in range(8):
        chain += [layers.ReLU(), layers.SeparableConv2D(64, 3, use_bias=False)]
    model = keras.Sequential(chain)
    images = rng.normal(size=(4, 32, 32, 64)).astype("float32")
    initialise(model, tiny.describe(pixel_spread=1.0), 0)
    assert 0.3 < keras.ops.convert_to_numpy(model(images)).std() < 3
