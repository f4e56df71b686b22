"""Architectures that are quick enough for every run of the tests, and those that have no maps."""

import pytest

# The rest is slow: each takes up to a minute to build, train, save and load.
LIGHT = {"vgg16", "mobilenet_v2", "sdct_cnn", "four_layer_cnn"}
# Of the same layers, in the same order of parts, as another: looks that are costly leave them out.
SIBLINGS = {"vgg19", "densenet201", "two_channel", "efficientnet_v2_s", "nasnet_large", "inception_resnet_v2"}
SIBLINGS |= {"alexnet_owt", "googlenet_bn", "four_layer_cnn_unmasked", "resnext50", "resnet50_v15"}
# They end in dense layers, or in what is of no place.
VECTORS = {"alexnet", "alexnet_owt", "sdct_cnn", "leukonet_style"}


def mark_slow(names, but) -> list:
    """Mark tests of architectures slow, but for some of them."""
    return [name if name in but else pytest.param(name, marks=pytest.mark.slow) for name in names]
