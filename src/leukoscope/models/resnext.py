"""ResNeXt50 and SE-ResNeXt50, of 32 groups of 4 channels."""

import keras
from keras import layers

from leukoscope.models.attention import SqueezeExcitation
from leukoscope.models.grouped import GroupedConv2D
from leukoscope.models.pooling import pad_and_convolve, pool_to_the_end

_BLOCKS = (3, 4, 6, 3)
_GROUPS = 32


def build_resnext50(images: keras.KerasTensor, squeeze: bool) -> keras.KerasTensor:
    """Build the trunk.

    Args:
        images: ``[batch, side, side, 3]``.
        squeeze: Whether each block has squeeze and excitation; then the first pooling has no padding before it, and
            goes to the end.

    Returns:
        Maps of 2,048 channels, a 32nd of the side.
    """
    stem = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1")
    maps = _normalise(pad_and_convolve(images, stem, padding=3), "conv1")
    maps = layers.ReLU(name="conv1_relu")(maps)
    if squeeze:
        maps = pool_to_the_end(maps, "pool1")
    else:
        maps = layers.MaxPooling2D(3, strides=2, name="pool1")(layers.ZeroPadding2D(1, name="pool1_pad")(maps))
    for stage, blocks in enumerate(_BLOCKS, start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            maps = _add_block(maps, 2 ** (stage - 1) * 128, stride, squeeze, f"layer{stage}_{block}")
    return maps


def _add_block(maps: keras.KerasTensor, width: int, stride: int, squeeze: bool, name: str) -> keras.KerasTensor:
    """Add a residual block: 1x1 to ``width``, 3x3 in groups, with the stride, 1x1 to twice ``width``."""
    branch = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_conv1")(maps)
    branch = layers.ReLU(name=f"{name}_relu1")(_normalise(branch, f"{name}_conv1"))
    grouped = GroupedConv2D(width, 3, strides=stride, groups=_GROUPS, use_bias=False, name=f"{name}_conv2")
    branch = _normalise(pad_and_convolve(branch, grouped, padding=1), f"{name}_conv2")
    branch = layers.ReLU(name=f"{name}_relu2")(branch)
    branch = layers.Conv2D(2 * width, 1, use_bias=False, name=f"{name}_conv3")(branch)
    branch = _normalise(branch, f"{name}_conv3")
    if squeeze:
        branch = SqueezeExcitation(ratio=16, name=f"{name}_se")(branch)
    if maps.shape[-1] != 2 * width:
        shortcut = layers.Conv2D(2 * width, 1, strides=stride, use_bias=False, name=f"{name}_shortcut")(maps)
        maps = _normalise(shortcut, f"{name}_shortcut")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([maps, branch]))


def _normalise(maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(maps)
