"""AlexNet with two towers, as in Caffe and MATLAB, and with one, as in torchvision."""

import keras
from keras import layers

from leukoscope.models.grouped import GroupedConv2D
from leukoscope.models.pooling import AdaptiveAverage, pad_and_convolve
from leukoscope.models.responses import LocalResponseNormalization

_SIDE = 6


def build_alexnet(images: keras.KerasTensor) -> keras.KerasTensor:
    """Build the two-tower trunk, from images of 227 pixels to a vector of 4,096."""
    maps = layers.Conv2D(96, 11, strides=4, activation="relu", name="conv1")(images)
    maps = _pool(LocalResponseNormalization(dtype="float32", name="norm1")(maps), 1)
    maps = _convolve_in_towers(maps, 256, 5, "conv2")
    maps = _pool(LocalResponseNormalization(dtype="float32", name="norm2")(maps), 2)
    maps = layers.Conv2D(384, 3, padding="same", activation="relu", name="conv3")(maps)
    maps = _convolve_in_towers(maps, 384, 3, "conv4")
    maps = _pool(_convolve_in_towers(maps, 256, 3, "conv5"), 5)
    vector = layers.Dense(4096, activation="relu", name="fc6")(_flatten(maps))
    vector = layers.Dropout(0.5, seed=6, name="drop6")(vector)
    return layers.Dense(4096, activation="relu", name="fc7")(vector)


def build_alexnet_owt(images: keras.KerasTensor) -> keras.KerasTensor:
    """Build the one-tower trunk, from images of 224 pixels to a vector of 4,096."""
    first = layers.Conv2D(64, 11, strides=4, activation="relu", name="conv1")
    maps = _pool(pad_and_convolve(images, first, padding=2), 1)
    maps = _pool(layers.Conv2D(192, 5, padding="same", activation="relu", name="conv2")(maps), 2)
    for number, channels in ((3, 384), (4, 256), (5, 256)):
        maps = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv{number}")(maps)
    vector = layers.Dropout(0.5, seed=5, name="drop5")(_flatten(_pool(maps, 5)))
    vector = layers.Dense(4096, activation="relu", name="fc6")(vector)
    vector = layers.Dropout(0.5, seed=6, name="drop6")(vector)
    return layers.Dense(4096, activation="relu", name="fc7")(vector)


def _convolve_in_towers(maps: keras.KerasTensor, channels: int, size: int, name: str) -> keras.KerasTensor:
    return GroupedConv2D(channels, size, padding="same", groups=2, activation="relu", name=name)(maps)


def _pool(maps: keras.KerasTensor, number: int) -> keras.KerasTensor:
    return layers.MaxPooling2D(3, strides=2, name=f"pool{number}")(maps)


def _flatten(maps: keras.KerasTensor) -> keras.KerasTensor:
    """Flatten the maps into one vector, resampled to the size the dense layers expect for any image size."""
    if maps.shape[1:3] != (_SIDE, _SIDE):
        maps = AdaptiveAverage(_SIDE, name="resample")(maps)
    return layers.Flatten(name="flatten")(maps)
