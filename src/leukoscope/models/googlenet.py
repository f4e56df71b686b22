"""GoogLeNet as published, and with batch norms as in torchvision, both without the auxiliary heads."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import layers

from leukoscope.models.pooling import pad_and_convolve, pool_to_the_end
from leukoscope.models.responses import LocalResponseNormalization


class _Module(NamedTuple):
    """Channels of an inception module's four branches; a pair is a 1x1 convolution and the convolution after it."""

    single: int
    three: tuple[int, int]
    five: tuple[int, int]
    pooled: int


_MODULES = {
    "inception3a": _Module(64, (96, 128), (16, 32), 32),
    "inception3b": _Module(128, (128, 192), (32, 96), 64),
    "inception4a": _Module(192, (96, 208), (16, 48), 64),
    "inception4b": _Module(160, (112, 224), (24, 64), 64),
    "inception4c": _Module(128, (128, 256), (24, 64), 64),
    "inception4d": _Module(112, (144, 288), (32, 64), 64),
    "inception4e": _Module(256, (160, 320), (32, 128), 128),
    "inception5a": _Module(256, (160, 320), (32, 128), 128),
    "inception5b": _Module(384, (192, 384), (48, 128), 128),
}
# Channels, size of the kernel, name, stride.
_Convolve = Callable[[keras.KerasTensor, int, int, str, int], keras.KerasTensor]


def build_googlenet(images: keras.KerasTensor) -> keras.KerasTensor:
    """Build the published trunk; it outputs maps of 1,024 channels at 1/32 of the side."""

    def convolve(maps: keras.KerasTensor, channels: int, size: int, name: str, stride: int = 1) -> keras.KerasTensor:
        return _pad_and_convolve(maps, channels, size, name, stride, activation="relu")

    def normalise(maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return LocalResponseNormalization(dtype="float32", name=name)(maps)

    maps = normalise(pool_to_the_end(convolve(images, 64, 7, "conv1", 2), "pool1"), "norm1")
    maps = convolve(convolve(maps, 64, 1, "conv2"), 192, 3, "conv3")
    maps = pool_to_the_end(normalise(maps, "norm2"), "pool2")
    return _add_modules(maps, convolve, largest=5, last_pool=3)


def build_googlenet_bn(images: keras.KerasTensor) -> keras.KerasTensor:
    """Build torchvision's trunk; it outputs maps of 1,024 channels at 1/32 of the side."""

    def convolve(maps: keras.KerasTensor, channels: int, size: int, name: str, stride: int = 1) -> keras.KerasTensor:
        maps = _pad_and_convolve(maps, channels, size, name, stride, use_bias=False)
        maps = layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_bn")(maps)
        return layers.ReLU(name=f"{name}_relu")(maps)

    maps = pool_to_the_end(convolve(images, 64, 7, "conv1", 2), "pool1")
    maps = pool_to_the_end(convolve(convolve(maps, 64, 1, "conv2"), 192, 3, "conv3"), "pool2")
    return _add_modules(maps, convolve, largest=3, last_pool=2)


def _pad_and_convolve(
    maps: keras.KerasTensor, channels: int, size: int, name: str, stride: int, **options: object
) -> keras.KerasTensor:
    if stride == 1:
        return layers.Conv2D(channels, size, padding="same", name=name, **options)(maps)
    return pad_and_convolve(maps, layers.Conv2D(channels, size, strides=stride, name=name, **options), size // 2)


def _add_modules(maps: keras.KerasTensor, convolve: _Convolve, largest: int, last_pool: int) -> keras.KerasTensor:
    """Add the inception modules, with pooling before the fourth and the fifth group.

    Args:
        maps: Output of the first convolutions and poolings.
        convolve: Convolves, normalises and rectifies.
        largest: Size of the largest kernels, 5 as published.
        last_pool: Window size of the last pooling.
    """
    for name, module in _MODULES.items():
        if name.endswith("4a"):
            maps = pool_to_the_end(maps, "pool3")
        if name.endswith("5a"):
            maps = pool_to_the_end(maps, "pool4", last_pool)
        maps = _add_module(maps, convolve, module, largest, name)
    return maps


def _add_module(
    maps: keras.KerasTensor, convolve: _Convolve, module: _Module, largest: int, name: str
) -> keras.KerasTensor:
    single = convolve(maps, module.single, 1, f"{name}_1x1", 1)
    three = convolve(maps, module.three[0], 1, f"{name}_3x3_reduce", 1)
    three = convolve(three, module.three[1], 3, f"{name}_3x3", 1)
    five = convolve(maps, module.five[0], 1, f"{name}_5x5_reduce", 1)
    five = convolve(five, module.five[1], largest, f"{name}_5x5", 1)
    pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(maps)
    pooled = convolve(pooled, module.pooled, 1, f"{name}_pool_proj", 1)
    return layers.Concatenate(name=f"{name}_out")([single, three, five, pooled])
