"""The networks of the two generators for 64 x 64 pixels, in plain Keras layers only."""

from typing import Any

import keras
from keras import layers

from leukoscope.generation.diffusion import EMBEDDING

SIDE = 64
CHANNELS = (32, 64, 128)
NOISE = 100
_ATTENDED = 16  # side of the maps to which attention is applied
_GROUPS = 8
_CONDITION = 128


def build_unet(classes: int) -> keras.Model:
    """Build the U-Net of a class-conditional DDPM.

    Three sizes of maps, 64, 32 and 16 pixels with 32, 64 and 128 channels, with one residual block each on the way down
    and up, and one with attention in the middle. Step and class are added to the channels of every block.

    Args:
        classes: Number of classes.

    Returns:
        A model from ``image`` (noisy, ``[batch, 64, 64, 3]``), ``step`` (embedded, ``[batch, 64]``) and ``class``
        (``int [batch]``) to the noise in the image.
    """
    image = keras.Input((SIDE, SIDE, 3), name="image")
    step = keras.Input((EMBEDDING,), name="step")
    kind = keras.Input((), dtype="int32", name="class")
    condition = layers.Dense(_CONDITION, activation="silu")(step)
    condition = layers.Add()([condition, layers.Embedding(classes, _CONDITION)(kind)])
    condition = layers.Dense(_CONDITION, activation="silu")(condition)
    maps = layers.Conv2D(CHANNELS[0], 3, padding="same")(image)
    passed = []
    for number, channels in enumerate(CHANNELS):
        if number:
            maps = layers.Conv2D(channels, 3, strides=2, padding="same")(maps)
        maps = _add_block(maps, condition, channels)
        passed.append(maps)
    maps = _attend(maps)
    maps = _add_block(maps, condition, CHANNELS[-1])
    for number, channels in reversed(list(enumerate(CHANNELS))):
        maps = layers.Concatenate()([maps, passed[number]])
        maps = _add_block(maps, condition, channels)
        if number:
            maps = layers.UpSampling2D(interpolation="nearest")(maps)
            maps = layers.Conv2D(CHANNELS[number - 1], 3, padding="same")(maps)
    maps = _normalise(maps)
    noise = layers.Conv2D(3, 3, padding="same", kernel_initializer="zeros", name="noise")(maps)
    return keras.Model([image, step, kind], noise, name="unet")


def _normalise(maps: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Activation("silu")(layers.GroupNormalization(_GROUPS)(maps))


def _add_block(maps: keras.KerasTensor, condition: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Add a residual block; its second convolution starts at zero, so that the block starts as its shortcut."""
    changed = layers.Conv2D(channels, 3, padding="same")(_normalise(maps))
    added = layers.Reshape((1, 1, channels))(layers.Dense(channels)(condition))
    changed = _normalise(layers.Add()([changed, added]))
    changed = layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros")(changed)
    if maps.shape[-1] != channels:
        maps = layers.Conv2D(channels, 1)(maps)
    return layers.Add()([maps, changed])


def _attend(maps: keras.KerasTensor) -> keras.KerasTensor:
    side = maps.shape[1]
    channels = maps.shape[-1]
    if side != _ATTENDED:
        raise ValueError(f"attention is for maps of {_ATTENDED} pixels, and these have {side}")
    tokens = layers.Reshape((side * side, channels))(layers.GroupNormalization(_GROUPS)(maps))
    tokens = layers.MultiHeadAttention(4, channels // 4)(tokens, tokens)
    return layers.Add()([maps, layers.Reshape((side, side, channels))(tokens)])


def build_generator(classes: int | None = None, normalised: bool = True) -> keras.Model:
    """Build the generator of a DCGAN (Radford et al. 2016): 100 numbers to 4 x 4 x 512 to 64 x 64 x 3.

    Args:
        classes: Number of classes; the noise is multiplied by a vector of the class. ``None``: no classes.
        normalised: Whether all layers but the last are followed by batch norms.

    Returns:
        A model from ``noise`` (``[batch, 100]``), and ``class`` (``int [batch]``), to images in -1 to 1.
    """
    noise = keras.Input((NOISE,), name="noise")
    inputs = [noise]
    maps = noise
    if classes:
        kind = keras.Input((), dtype="int32", name="class")
        inputs.append(kind)
        maps = layers.Multiply()([maps, layers.Embedding(classes, NOISE, embeddings_initializer="ones")(kind)])
    maps = layers.Reshape((4, 4, 512))(layers.Dense(4 * 4 * 512, kernel_initializer=_start())(maps))
    for channels in (256, 128, 64):
        maps = _activate(maps, normalised)
        maps = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", kernel_initializer=_start())(maps)
    maps = _activate(maps, normalised)
    images = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh", kernel_initializer=_start())
    return keras.Model(inputs, images(maps), name="generator")


def _activate(maps: keras.KerasTensor, normalised: bool) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(maps) if normalised else maps)


def _start() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def build_discriminator(classes: int | None = None, normalised: bool = True) -> keras.Model:
    """Build the discriminator: 64 x 64 x 3 to one score, above 0 for images it considers real.

    Args:
        classes: Number of classes; a class's score is a projection (Miyato and Koyama 2018). ``None``: no classes.
        normalised: Whether Keras' ``SpectralNormalization`` wraps all layers (Miyato et al. 2018).

    Returns:
        A model from ``image`` (``[batch, 64, 64, 3]`` in -1 to 1), and ``class`` (``int [batch]``), to scores,
        ``[batch, 1]``.
    """

    def wrap(layer: layers.Layer) -> Any:
        return layers.SpectralNormalization(layer) if normalised else layer

    image = keras.Input((SIDE, SIDE, 3), name="image")
    inputs = [image]
    maps = image
    for channels in (64, 128, 256, 512):
        maps = wrap(layers.Conv2D(channels, 4, strides=2, padding="same", kernel_initializer=_start()))(maps)
        maps = layers.LeakyReLU(negative_slope=0.2)(maps)
    flat = layers.Flatten()(maps)
    score = wrap(layers.Dense(1, kernel_initializer=_start()))(flat)
    if classes:
        kind = keras.Input((), dtype="int32", name="class")
        inputs.append(kind)
        vector = layers.Embedding(classes, maps.shape[-1], embeddings_initializer=_start())(kind)
        projected = layers.Dot(axes=1)([layers.GlobalAveragePooling2D()(maps), vector])
        score = layers.Add()([score, projected])
    return keras.Model(inputs, score, name="discriminator")
