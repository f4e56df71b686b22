"""ResNet50 as in torchvision, and ResNeXt50 and SE-ResNeXt50 with 32 groups of 4 channels."""

from typing import NamedTuple

import keras
from keras import layers

from leukoscope.models.attention import SqueezeExcitation
from leukoscope.models.grouped import GroupedConv2D
from leukoscope.models.pooling import pad_and_convolve, pool_to_the_end

_BLOCKS = (3, 4, 6, 3)


class _Kind(NamedTuple):
    """The differences between the networks.

    Attributes:
        groups: Groups of the 3x3 convolutions.
        width: Channels of the 3x3 convolutions in the first stage.
        squeeze: Whether blocks have squeeze and excitation.
    """

    groups: int
    width: int
    squeeze: bool = False


def build_resnet50_v15(images: keras.KerasTensor) -> keras.KerasTensor:
    """Build ResNet50's trunk with strides in 3x3 convolutions: maps of 2,048 channels at 1/32 of the side."""
    return _build(images, _Kind(groups=1, width=64))


def build_resnext50(images: keras.KerasTensor, squeeze: bool) -> keras.KerasTensor:
    """Build ResNeXt50's or SE-ResNeXt50's trunk.

    Args:
        images: ``[batch, side, side, 3]``.
        squeeze: Whether each block has squeeze and excitation; then the first pooling is not preceded by padding,
            and its last window may reach beyond the end.

    Returns:
        Maps of 2,048 channels at 1/32 of the side.
    """
    return _build(images, _Kind(groups=32, width=128, squeeze=squeeze))


def _build(images: keras.KerasTensor, kind: _Kind) -> keras.KerasTensor:
    stem = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1")
    maps = _normalise(pad_and_convolve(images, stem, padding=3), "conv1")
    maps = layers.ReLU(name="conv1_relu")(maps)
    if kind.squeeze:
        maps = pool_to_the_end(maps, "pool1")
    else:
        maps = layers.MaxPooling2D(3, strides=2, name="pool1")(layers.ZeroPadding2D(1, name="pool1_pad")(maps))
    for stage, blocks in enumerate(_BLOCKS, start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            maps = _add_block(maps, stage, stride, kind, f"layer{stage}_{block}")
    return maps


def _add_block(maps: keras.KerasTensor, stage: int, stride: int, kind: _Kind, name: str) -> keras.KerasTensor:
    """Add a residual block: 1x1 to its width, grouped 3x3 with the stride, and 1x1."""
    width = 2 ** (stage - 1) * kind.width
    channels = 2 ** (stage - 1) * 256
    branch = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_conv1")(maps)
    branch = layers.ReLU(name=f"{name}_relu1")(_normalise(branch, f"{name}_conv1"))
    grouped = {"groups": kind.groups} if kind.groups > 1 else {}
    convolution = GroupedConv2D if grouped else layers.Conv2D
    middle = convolution(width, 3, strides=stride, use_bias=False, name=f"{name}_conv2", **grouped)
    branch = _normalise(pad_and_convolve(branch, middle, padding=1), f"{name}_conv2")
    branch = layers.ReLU(name=f"{name}_relu2")(branch)
    branch = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_conv3")(branch)
    branch = _normalise(branch, f"{name}_conv3")
    if kind.squeeze:
        branch = SqueezeExcitation(ratio=16, name=f"{name}_se")(branch)
    if maps.shape[-1] != channels:
        shortcut = layers.Conv2D(channels, 1, strides=stride, use_bias=False, name=f"{name}_shortcut")(maps)
        maps = _normalise(shortcut, f"{name}_shortcut")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([maps, branch]))


def _normalise(maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(maps)
