import keras
import numpy as np
import pytest

from leukoscope.models.attention import EfficientChannelAttention, SqueezeExcitation, choose_kernel_size


def apply(layer: keras.Layer, maps: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(maps.astype("float32")))


@pytest.mark.parametrize(
    ("channels", "size"), [(1, 1), (2, 1), (8, 3), (64, 3), (128, 5), (256, 5), (512, 5), (1024, 5), (2048, 7)]
)
def test_the_kernel_grows_with_the_channels(channels, size):
    assert choose_kernel_size(channels) == size


def test_a_gate_looks_at_a_channel_and_its_neighbours():
    """The worked example: means (0, 1, 0, 0) and the kernel (1, 2, 3) have the scores (3, 2, 1, 0)."""
    layer = EfficientChannelAttention()
    layer.build((None, 2, 2, 8))
    layer.kernel.assign(np.array([1.0, 2.0, 3.0])[:, None, None])
    maps = np.zeros((1, 2, 2, 8))
    maps[..., 1] = 1.0
    gates = [0.9526, 0.8808, 0.7311, 0.5]
    assert apply(layer, maps)[0, 0, 0] == pytest.approx([0, gates[1], 0, 0, 0, 0, 0, 0], abs=1e-4)
    shown = maps + np.array([1e-3, 0, 1e-3, 1e-3, 0, 0, 0, 0])  # so little that the means stay
    assert apply(layer, shown)[0, 0, 0, [0, 2, 3]] == pytest.approx(np.array(gates)[[0, 2, 3]] * 1e-3, rel=5e-3)


def test_of_a_constant_image_the_inner_channels_have_one_gate():
    layer = EfficientChannelAttention()
    layer.build((None, 4, 4, 64))
    layer.kernel.assign(np.array([0.3, -0.2, 0.5])[:, None, None])
    given = apply(layer, np.full((1, 4, 4, 64), 2.0))[0, 0, 0]
    assert given[1:-1] == pytest.approx(2 / (1 + np.exp(-1.2)), abs=1e-5)
    assert given[0] == pytest.approx(2 / (1 + np.exp(-0.6)), abs=1e-5)  # beyond the end is zero
    assert given[-1] == pytest.approx(2 / (1 + np.exp(-0.2)), abs=1e-5)


def test_squeeze_and_excitation_is_two_dense_layers_of_the_means(rng):
    layer = SqueezeExcitation(ratio=4)
    layer.build((None, 3, 3, 48))
    first, second = rng.normal(size=(48, 12)), rng.normal(size=(12, 48))
    biases = rng.normal(size=12), rng.normal(size=48)
    layer.set_weights([first, biases[0], second, biases[1]])
    maps = rng.normal(size=(2, 3, 3, 48))
    hidden = np.maximum(maps.mean(axis=(1, 2)) @ first + biases[0], 0)
    gates = 1 / (1 + np.exp(-(hidden @ second + biases[1])))
    assert apply(layer, maps) == pytest.approx(maps * gates[:, None, None], abs=1e-5)


@pytest.mark.parametrize("kind", [EfficientChannelAttention, SqueezeExcitation])
class TestEveryAttention:
    def test_a_neutral_one_starts_as_nothing(self, kind, rng):
        maps = rng.normal(1, 1, size=(2, 3, 3, 32)).astype("float32")
        assert apply(kind(neutral=True), maps) == pytest.approx(maps, abs=1e-6)
        gates = apply(kind(), maps) / maps
        assert ((gates > 0) & (gates < 1)).all()
        assert np.ptp(gates) > 1e-3

    @pytest.mark.parametrize("neutral", [True, False])
    def test_all_of_it_learns(self, kind, neutral, rng):
        model = keras.Sequential(
            [keras.Input((3, 3, 32)), kind(neutral=neutral), keras.layers.GlobalAveragePooling2D()]
        )
        before = [weights for weights in model.get_weights() if weights.ndim > 1]
        model.compile(keras.optimizers.SGD(1.0), "mse")
        for _ in range(3):
            model.train_on_batch(rng.normal(1, 1, (4, 3, 3, 32)), rng.normal(size=(4, 32)))
        after = [weights for weights in model.get_weights() if weights.ndim > 1]
        assert all((one != other).any() for one, other in zip(before, after, strict=True))

    def test_comes_back_from_a_file(self, kind, rng, tmp_path):
        model = keras.Sequential([keras.Input((3, 3, 32)), kind(neutral=True, name="gate")])
        model.set_weights([rng.normal(size=one.shape) for one in model.weights])
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
        maps = rng.normal(size=(2, 3, 3, 32)).astype("float32")
        assert apply(loaded, maps) == pytest.approx(apply(model, maps), abs=1e-6)


def test_the_seed_decides_what_a_squeeze_starts_from():
    def draw(seed: int, **options) -> list[np.ndarray]:
        layer = SqueezeExcitation(**options)
        layer.build((None, 3, 3, 32))
        layer.draw(seed)
        return [keras.ops.convert_to_numpy(part.kernel) for part in (layer.squeeze, layer.excite)]

    pairs = zip(draw(1), draw(1), draw(2), strict=True)
    assert all((one == same).all() and (one != other).any() for one, same, other in pairs)
    assert not draw(1, neutral=True)[1].any()
