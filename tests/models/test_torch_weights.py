"""Weights of PyTorch, held against our own numbers under PyTorch's names, and against PyTorch's networks."""

import keras
import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.network import build_classifier
from leukoscope.models.torch_names import NETWORKS
from leukoscope.models.torch_weights import _convert, _rename, take_weights
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from networks import mark_slow
from torch_files import build_trunk, name_as_torch

SIZE = 64
QUICK = {"googlenet_bn"}


def draw_images(count: int = 2, size: int = SIZE) -> np.ndarray:
    """Draw images that are neither even nor alike when they are turned."""
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (count, size // 8, size // 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(coarse + draw.integers(-30, 30, coarse.shape), 0, 255).astype("float32")


def predict_imported(name: str, tensors, tmp_path, images: np.ndarray) -> np.ndarray:
    """Give the features of a classifier that starts from a file of the imported weights."""
    path = tmp_path / "trunk.weights.h5"
    take_weights(name, tensors).trunk.save_weights(path)
    own = RecipeDifferences(weights=str(path), pixels=NETWORKS[name].pixels, input_size=images.shape[1])
    recipe = resolve_recipe(name, Recipe(), own)
    return keras.ops.convert_to_numpy(build_classifier(name, recipe, list("ab"), 0).parts.trunk(images))


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    """Compare features, of a size of about 1; none of them may be dead."""
    assert expected.std() > 0.01
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", mark_slow(NETWORKS, but=QUICK))
def test_our_own_numbers_come_back_from_under_the_names_of_pytorch(name, tmp_path):
    trunk = build_trunk(name, SIZE)
    images = draw_images()
    expected = keras.ops.convert_to_numpy(trunk(images))
    expected = expected.mean(axis=(1, 2)) if expected.ndim == 4 else expected
    tensors = name_as_torch(trunk, name)
    for layer in trunk.layers if NETWORKS[name].epsilon != 1e-3 else ():
        if isinstance(layer, keras.layers.BatchNormalization):  # PyTorch's network has its own epsilon
            prefix = NETWORKS[name].layers[layer.name]
            variance = tensors[f"{prefix}.running_var"]
            tensors[f"{prefix}.weight"] /= np.sqrt((variance + layer.epsilon) / (variance + 1e-5))
    if NETWORKS[name].turned:
        tensors = {key: one[..., ::-1, ::-1] if one.ndim == 4 else one for key, one in tensors.items()}
    assert_same(predict_imported(name, tensors, tmp_path, images), expected)


def test_a_kernel_convolves_as_in_pytorch():
    """By the definition: each output is the sum of products of what is under the kernel, which is not turned."""
    draw = np.random.default_rng(0)
    kernel, images = draw.normal(size=(5, 3, 3, 3)), draw.normal(size=(1, 6, 6, 3)).astype("float32")
    layer = keras.layers.Conv2D(5, 3, use_bias=False)
    layer.build(images.shape)
    layer.set_weights(_convert(layer, [kernel], NETWORKS["vgg16"]))
    expected = np.zeros((4, 4, 5))
    for row, column in np.ndindex(4, 4):
        under = images[0, row : row + 3, column : column + 3]
        expected[row, column] = np.einsum("hwi,oihw->o", under, kernel)
    np.testing.assert_allclose(layer(images)[0], expected, atol=1e-5)


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return name_as_torch(build_trunk("mobilenet_v2", 32), "mobilenet_v2")


class TestEveryKeyIsAccountedFor:
    def test_keys_are_used_or_left_out(self, tensors):
        taken = take_weights("mobilenet_v2", tensors | {"classifier.1.weight": np.zeros((4, 1280))})
        counters = {key for key in tensors if key.endswith("num_batches_tracked")}
        assert set(taken.left_out) == counters | {"classifier.1.weight"}
        assert set(taken.used) == set(tensors) - counters

    def test_a_missing_one_is_named(self, tensors):
        rest = {key: one for key, one in tensors.items() if key != "features.3.conv.1.0.weight"}
        with pytest.raises(InputError, match=r"no key 'features\.3\.conv\.1\.0\.weight', nor 0 others of 260"):
            take_weights("mobilenet_v2", rest)

    def test_an_unknown_one_is_named(self, tensors):
        with pytest.raises(
            InputError, match=r"has the key 'features\.19\.weight', and 0 others, for which .* no place"
        ):
            take_weights("mobilenet_v2", tensors | {"features.19.weight": np.zeros(3)})

    def test_one_of_another_shape_is_named(self, tensors):
        with pytest.raises(
            InputError, match=r"'features.0.0.weight' is of the shape \(32, 3, 5, 5\).* \(32, 3, 3, 3\)"
        ):
            take_weights("mobilenet_v2", tensors | {"features.0.0.weight": np.zeros((32, 3, 5, 5))})

    @pytest.mark.parametrize("number", [np.nan, -1.0])
    def test_a_number_that_cannot_be_is_told(self, tensors, number):
        with pytest.raises(InputError, match="bn_Conv1 are not all finite, or a variance is negative"):
            take_weights("mobilenet_v2", tensors | {"features.0.1.running_var": np.full(32, number)})

    @pytest.mark.parametrize("name", mark_slow(NETWORKS, but=QUICK))
    def test_every_layer_with_weights_has_a_name_in_pytorch(self, name):
        row = architecture.get(name)
        trunk = row.build(keras.Input((row.smallest_input, row.smallest_input, 3)), None)
        assert {layer.name for layer in trunk.layers if layer.weights} == set(NETWORKS[name].layers)


class TestWhatIsNoSameFunction:
    def test_resnet50_of_keras_has_its_strides_elsewhere(self):
        with pytest.raises(InputError, match=r"stride of a stage in its first 1x1.*Import them as resnet50_v15"):
            take_weights("resnet50", {})

    def test_a_network_without_a_table_says_which_have_one(self):
        with pytest.raises(
            InputError, match=r"ConvNeXtTiny \(convnext_tiny\): there is no table.*Known are resnet50_v15"
        ):
            take_weights("convnext_tiny", {})

    def test_timms_other_squeeze_and_excitation_pools_otherwise(self):
        with pytest.raises(InputError, match=r"'layer1.0.se.fc1.weight': timm's seresnext50_32x4d pads before"):
            take_weights("se_resnext50", {"layer1.0.se.fc1.weight": np.zeros(1)})

    def test_a_vgg_with_batch_norms_is_another(self):
        with pytest.raises(InputError, match=r"'features.1.running_mean': it is of a VGG with batch norms"):
            take_weights("vgg16", {"features.1.running_mean": np.zeros(64)})


def test_older_files_of_densenet_have_other_names():
    old = {"features.denseblock1.denselayer2.norm.1.weight": 1, "features.transition1.conv.weight": 2}
    new = {"features.denseblock1.denselayer2.norm1.weight": 1, "features.transition1.conv.weight": 2}
    assert _rename(NETWORKS["densenet121"], old) == new


MODELS = {
    "resnet50_v15": "resnet50",
    "resnext50": "resnext50_32x4d",
    "alexnet_owt": "alexnet",
    "googlenet_bn": "googlenet",
}
PEERS = ("resnet50_v15", "resnext50", "vgg16", "vgg19", "mobilenet_v2", "densenet121", "alexnet_owt", "googlenet_bn")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PEERS, "se_resnext50"])
def test_features_are_those_of_pytorch(name, tmp_path):
    """On raw images, each with its own preprocessing: torchvision's is ImageNet's mean and deviation."""
    torch = pytest.importorskip("torch")
    model = build_peer(name)
    randomise(torch, model)
    images = draw_images(size=224 if name == "alexnet_owt" else 96)
    taken = images[:, ::-1, ::-1] if NETWORKS[name].turned else images
    scaled = (taken / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = extract(torch, model, torch.tensor(scaled.transpose(0, 3, 1, 2).astype("float32")))
    tensors = {key: one.numpy() for key, one in model.state_dict().items()}
    assert_same(predict_imported(name, tensors, tmp_path, images), expected)


def build_peer(name: str):
    """Build torchvision's or timm's network."""
    if name == "se_resnext50":
        return pytest.importorskip("timm").create_model("legacy_seresnext50_32x4d", pretrained=False).eval()
    models = pytest.importorskip("torchvision").models
    more = {"transform_input": True, "init_weights": False} if name == "googlenet_bn" else {}
    return getattr(models, MODELS.get(name, name))(weights=None, **more).eval()


def randomise(torch, model) -> None:
    """Draw statistics and scales of norms, which start as zeros and ones."""
    generator = torch.Generator().manual_seed(0)
    for key, tensor in model.state_dict().items():
        if key.endswith(("running_var", "running_mean")) or (tensor.ndim == 1 and tensor.is_floating_point()):
            drawn = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(drawn + 0.5 if key.endswith(("running_var", "weight")) else 0.2 * drawn - 0.1)


def extract(torch, model, images) -> np.ndarray:
    """Take what the last layer of a network of PyTorch is given."""
    seen = []
    last = [layer for key, layer in model.named_modules() if isinstance(layer, torch.nn.Linear) and "aux" not in key][
        -1
    ]
    if type(model).__name__ == "VGG":  # whose features are its maps' means here, without its dense layers
        with torch.no_grad():
            return model.features(images).mean((2, 3)).numpy()
    last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(images)
    return seen[0].numpy()
