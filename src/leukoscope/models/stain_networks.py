"""Small networks on optical densities and frequencies, after Mourya et al. 2018 and Gehlot et al. 2020."""

import keras
from keras import layers

from leukoscope.models.bilinear import BilinearPooling
from leukoscope.models.optical import Dct2D, OpticalDensity, StainDeconvolution
from leukoscope.models.pooling import pad_and_convolve

_SDCT_CHANNELS = (16, 32, 48, 64, 64)
_LEUKONET_CHANNELS = (32, 32, 64, 64, 256)


def build_sdct_cnn(images: keras.KerasTensor) -> keras.KerasTensor:
    """Build the trunk of SDCT-AuxNet's main classifier, from raw pixels to a vector of 4,096."""
    maps = OpticalDensity(dtype="float32", name="optical_density")(images)
    maps = StainDeconvolution(dtype="float32", name="stains")(maps)
    maps = Dct2D(dtype="float32", name="frequencies")(maps)
    first = layers.Conv2D(16, 5, strides=2, name="conv1")
    maps = _normalise(pad_and_convolve(maps, first, padding=1), "conv1", epsilon=1e-5)
    for number, channels in enumerate(_SDCT_CHANNELS, start=2):
        convolution = layers.Conv2D(channels, 3, padding="same", name=f"conv{number}")
        maps = _normalise(convolution(maps), convolution.name, epsilon=1e-5)
        if number < len(_SDCT_CHANNELS) + 1:
            maps = layers.MaxPooling2D(2, name=f"pool{number}")(maps)
    return BilinearPooling(dtype="float32", name="bilinear")(maps)


def build_leukonet_style(images: keras.KerasTensor) -> keras.KerasTensor:
    """Build the two-branch trunk, from raw pixels to a vector of 512."""
    density = OpticalDensity(dtype="float32", name="optical_density")(images)
    frequencies = Dct2D(dtype="float32", name="frequencies")(images)
    vectors = [_add_branch(density, "od"), _add_branch(frequencies, "dct")]
    vector = layers.Concatenate(name="branches")(vectors)
    for name in ("fc1", "fc2"):
        vector = layers.Dense(512, activation="relu", name=name)(vector)
    return vector


def _add_branch(maps: keras.KerasTensor, prefix: str) -> keras.KerasTensor:
    """Add five blocks of two convolutions; the last block ends in each channel's highest response."""
    for number, channels in enumerate(_LEUKONET_CHANNELS, start=1):
        name = f"{prefix}_block{number}"
        for part in (1, 2):
            convolution = layers.Conv2D(channels, 3, padding="same", name=f"{name}_conv{part}")
            maps = _normalise(convolution(maps), f"{name}_conv{part}")
            if part == 1:
                maps = layers.Dropout(0.2, seed=number, name=f"{name}_drop")(maps)
        if number < len(_LEUKONET_CHANNELS):
            maps = layers.MaxPooling2D(2, padding="same", name=f"{name}_pool")(maps)
    return layers.GlobalMaxPooling2D(name=f"{prefix}_pool")(maps)


def _normalise(maps: keras.KerasTensor, name: str, epsilon: float = 1e-3) -> keras.KerasTensor:
    maps = layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=f"{name}_bn")(maps)
    return layers.ReLU(name=f"{name}_relu")(maps)
