"""Networks of segmented fields, after Pallegama et al. 2020 and Ghaderzadeh et al. 2022."""

import keras
from keras import layers

from leukoscope.models.masking import NucleusMask

_CHANNELS = (16, 32, 64, 128)


def build_four_layer_cnn(images: keras.KerasTensor, masked: bool) -> keras.KerasTensor:
    """Build the four-convolution trunk, from raw pixels to maps of 128 channels at 1/16 of the side.

    Args:
        images: ``[batch, side, side, 3]``.
        masked: Whether it sees only nuclei.
    """
    maps = NucleusMask(dtype="float32", name="nuclei")(images) if masked else images
    maps = layers.Rescaling(1 / 255, name="shares")(maps)
    for number, channels in enumerate(_CHANNELS, start=1):
        maps = layers.Conv2D(channels, 3, padding="same", name=f"conv{number}")(maps)
        maps = layers.BatchNormalization(name=f"conv{number}_bn")(maps)
        maps = layers.ReLU(name=f"conv{number}_relu")(maps)
        maps = layers.MaxPooling2D(2, name=f"pool{number}")(maps)
    return maps


def build_two_channel(images: keras.KerasTensor, weights: str | None) -> keras.Model:
    """Build the trunk of two DenseNet201, from raw pixels to maps of 2 times 1,920 channels at 1/32 of the side.

    Args:
        images: ``[batch, side, side, 3]``.
        weights: Initial weights of each DenseNet201, as ``Architecture.build`` takes them.
    """
    nuclei = NucleusMask(published=True, dtype="float32", name="nuclei")(images)
    maps = [_build_channel(images, weights, "field"), _build_channel(nuclei, weights, "nuclei")]
    both = layers.Concatenate(name="channels")(maps)
    return keras.Model(keras.utils.get_source_inputs(images), both, name="two_channel")


def _build_channel(images: keras.KerasTensor, weights: str | None, prefix: str) -> keras.KerasTensor:
    """Build one DenseNet201 with distinct layer names."""
    prepared = keras.applications.densenet.preprocess_input(images, data_format="channels_last")
    with keras.name_scope(prefix):
        network = keras.applications.DenseNet201(include_top=False, weights=weights, input_tensor=prepared)
    before = keras.Model(network.inputs, prepared).operations
    for operation in network.operations:
        if not any(operation is shared for shared in before):
            operation.name = f"{prefix}_{operation.name}"
    return network.output
