"""Architectures that take too long for a quick test, and those that have no maps."""

import pytest

HEAVY = {"densenet201", "inception_resnet_v2", "efficientnet_v2_s", "nasnet_large", "nasnet_mobile"}
HEAVY |= {
    "resnext50",
    "se_resnext50",
    "alexnet",
    "alexnet_owt",
    "googlenet",
    "googlenet_bn",
    "leukonet_style",
    "two_channel",
}
# Of the same layers, in the same order of parts, as another: looks that are costly leave them out.
SIBLINGS = {"vgg19", "densenet201", "two_channel", "efficientnet_v2_s", "nasnet_large", "inception_resnet_v2"}
SIBLINGS |= {"alexnet_owt", "googlenet_bn", "four_layer_cnn_unmasked", "resnext50"}
# They end in dense layers, or in what is of no place.
VECTORS = {"alexnet", "alexnet_owt", "sdct_cnn", "leukonet_style"}


def mark_slow(names, but) -> list:
    """Mark tests of architectures slow, but for some of them."""
    return [name if name in but else pytest.param(name, marks=pytest.mark.slow) for name in names]
