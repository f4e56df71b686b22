"""The names of weights in torchvision and timm for networks registered here, and how those networks differ."""

from collections.abc import Mapping
from typing import NamedTuple


class TorchNetwork(NamedTuple):
    """The location of a network's weights in a state_dict.

    Attributes:
        source: The library or model that provides the network.
        layers: The key prefix of each of our layers with weights, by the layer's name.
        left_out: Patterns of keys that are ignored on purpose: classifiers, and heads used only in training.
        epsilon: The epsilon that PyTorch's network adds to the variances of its batch norms.
        pixels: How pixels are scaled for its weights, a Keras preprocessing mode.
        flattened: The maps, ``(channels, height, width)``, that a dense layer takes as one vector.
        turned: Whether our network computes the same function on images rotated by 180 degrees.
        old_names: Patterns of keys in older files, and their current names.
        unlike: Patterns of keys that only another network has, and why that network cannot be imported.
    """

    source: str
    layers: Mapping[str, str]
    left_out: tuple[str, ...]
    epsilon: float = 1e-5
    pixels: str = "torch"
    flattened: Mapping[str, tuple[int, int, int]] = {}
    turned: bool = False
    old_names: tuple[tuple[str, str], ...] = ()
    unlike: tuple[tuple[str, str], ...] = ()


# Present in every network: the number of batches that a norm has seen.
COUNTERS = r".*\.num_batches_tracked"
# Networks whose PyTorch namesake computes a different function.
REFUSED = {
    "resnet50": "Keras' ResNet50 has the stride of a stage in its first 1x1 convolution, torchvision's and timm's in "
    "the 3x3 one: the same numbers would compute something else. Import them as resnet50_v15, which has it there",
    "inception_v3": "Keras' InceptionV3 leaves the names of its layers to a counter, and has no such table here",
    "googlenet": "torchvision's GoogLeNet has batch norms: import it as googlenet_bn",
    "alexnet": "torchvision's AlexNet has one tower: import it as alexnet_owt",
    "efficientnet_v2_b0": "torchvision has no EfficientNetV2B0, and timm's pads differently",
    "efficientnet_v2_s": "torchvision's EfficientNetV2S pads its strided convolutions on all sides, Keras' on two",
}
_OTHER_POOLING = (
    "timm's seresnext50_32x4d pads before its first pooling, and ours, like legacy_seresnext50_32x4d and the authors' "
    "own file, does not: the same numbers would compute something else. Take legacy_seresnext50_32x4d"
)
_WITH_NORMS = "it is of a VGG with batch norms, which is another network"


def _name_residual(stem: tuple[str, str], squeeze: bool = False) -> dict[str, str]:
    names = {"conv1": stem[0], "conv1_bn": stem[1]}
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            ours = f"layer{stage}_{block}"
            theirs = f"layer{stage}.{block}"
            for number in (1, 2, 3):
                names |= {f"{ours}_conv{number}": f"{theirs}.conv{number}"}
                names |= {f"{ours}_conv{number}_bn": f"{theirs}.bn{number}"}
            if squeeze:
                names[f"{ours}_se"] = f"{theirs}.se_module"
            if not block:
                names |= {f"{ours}_shortcut": f"{theirs}.downsample.0"}
                names |= {f"{ours}_shortcut_bn": f"{theirs}.downsample.1"}
    return names


def _name_vgg(counts: tuple[int, ...]) -> dict[str, str]:
    names = {}
    place = 0
    for block, count in enumerate(counts, start=1):
        for number in range(1, count + 1):
            names[f"block{block}_conv{number}"] = f"features.{place}"
            place += 2  # skip the rectifier
        place += 1  # and the pooling
    return names


def _name_mobilenet_v2() -> dict[str, str]:
    first = {"depthwise": "0.0", "depthwise_BN": "0.1", "project": "1", "project_BN": "2"}
    other = {"expand": "0.0", "expand_BN": "0.1", "depthwise": "1.0", "depthwise_BN": "1.1"}
    other |= {"project": "2", "project_BN": "3"}
    names = {"Conv1": "features.0.0", "bn_Conv1": "features.0.1"}
    names |= {f"expanded_conv_{ours}": f"features.1.conv.{theirs}" for ours, theirs in first.items()}
    for block in range(1, 17):
        names |= {f"block_{block}_{ours}": f"features.{block + 1}.conv.{theirs}" for ours, theirs in other.items()}
    return names | {"Conv_1": "features.18.0", "Conv_1_bn": "features.18.1"}


def _name_densenet(counts: tuple[int, ...]) -> dict[str, str]:
    parts = {"0_bn": "norm1", "1_conv": "conv1", "1_bn": "norm2", "2_conv": "conv2"}
    names = {"conv1_conv": "features.conv0", "conv1_bn": "features.norm0", "bn": f"features.norm{len(counts) + 1}"}
    for stage, count in enumerate(counts, start=1):
        for layer in range(1, count + 1):
            theirs = f"features.denseblock{stage}.denselayer{layer}"
            names |= {f"conv{stage + 1}_block{layer}_{ours}": f"{theirs}.{part}" for ours, part in parts.items()}
        if stage < len(counts):
            names[f"pool{stage + 1}_bn"] = f"features.transition{stage}.norm"
            names[f"pool{stage + 1}_conv"] = f"features.transition{stage}.conv"
    return names


def _name_googlenet() -> dict[str, str]:
    branches = {"1x1": "branch1", "3x3_reduce": "branch2.0", "3x3": "branch2.1", "5x5_reduce": "branch3.0"}
    branches |= {"5x5": "branch3.1", "pool_proj": "branch4.1"}
    places = {f"conv{number}": f"conv{number}" for number in (1, 2, 3)}
    for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        places |= {f"inception{module}_{ours}": f"inception{module}.{theirs}" for ours, theirs in branches.items()}
    names = {ours: f"{theirs}.conv" for ours, theirs in places.items()}
    return names | {f"{ours}_bn": f"{theirs}.bn" for ours, theirs in places.items()}


_ALEXNET = {f"conv{number}": f"features.{place}" for number, place in enumerate((0, 3, 6, 8, 10), start=1)}
_ALEXNET |= {"fc6": "classifier.1", "fc7": "classifier.4"}
_RESIDUAL = _name_residual(("conv1", "bn1"))
_VGG_TOP = (r"classifier\..*", r"pre_logits\..*", r"head\..*")
_VGG_NORMS = ((r"features\.\d+\.running_mean", _WITH_NORMS),)
_OLD_DENSENET = ((r"\.(norm|conv)\.(\d)\.", r".\1\2."),)
_BOTH = "torchvision and timm"

NETWORKS = {
    "resnet50_v15": TorchNetwork(_BOTH, _RESIDUAL, (r"fc\..*",)),
    "resnext50": TorchNetwork(_BOTH, _RESIDUAL, (r"fc\..*",)),
    "se_resnext50": TorchNetwork(
        "timm's legacy_seresnext50_32x4d",
        _name_residual(("layer0.conv1", "layer0.bn1"), squeeze=True),
        (r"last_linear\..*",),
        unlike=((r".*\.se\.fc\d\..*", _OTHER_POOLING),),
    ),
    "vgg16": TorchNetwork(_BOTH, _name_vgg((2, 2, 3, 3, 3)), _VGG_TOP, unlike=_VGG_NORMS),
    "vgg19": TorchNetwork(_BOTH, _name_vgg((2, 2, 4, 4, 4)), _VGG_TOP, unlike=_VGG_NORMS),
    "mobilenet_v2": TorchNetwork("torchvision", _name_mobilenet_v2(), (r"classifier\..*",), turned=True),
    "densenet121": TorchNetwork(_BOTH, _name_densenet((6, 12, 24, 16)), (r"classifier\..*",), old_names=_OLD_DENSENET),
    "alexnet_owt": TorchNetwork("torchvision", _ALEXNET, (r"classifier\.6\..*",), flattened={"fc6": (256, 6, 6)}),
    "googlenet_bn": TorchNetwork(
        "torchvision", _name_googlenet(), (r"fc\..*", r"aux[12]\..*"), epsilon=1e-3, pixels="tf"
    ),
}
