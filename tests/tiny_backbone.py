"""An architecture that trains in a moment, for what does not depend on which architecture it is."""

import keras
from keras import layers

from leukoscope.models import architecture
from leukoscope.models.architecture import Architecture

NAME, CHANNELS = "tiny", 32


def add(set_attribute=setattr) -> None:
    """Register the architecture.

    Args:
        set_attribute: Sets an attribute of a module, like ``monkeypatch.setattr``, which undoes it.
    """
    if NAME in architecture.list_names():  # which registers the others, too
        return
    set_attribute(architecture, "_registry", dict(architecture._registry))
    architecture.register(NAME, describe())


def describe(**facts) -> Architecture:
    """Give the row, with facts that a test wants otherwise."""
    usual = {"title": "Tiny", "input_size": 32, "smallest_input": 16, "batch_size": 16, "dropout": 0.1}
    usual |= {"preprocess": preprocess, "build": build, "blocks": {"block2": "block2_conv"}, "parameters": 5184}
    return Architecture(**usual | facts)


def preprocess(images: keras.KerasTensor) -> keras.KerasTensor:
    """Prepare pixels as VGG16 has them."""
    return keras.applications.vgg16.preprocess_input(images)


def build(images: keras.KerasTensor, weights: str | None) -> keras.Model:
    """Build the trunk."""
    outputs = images
    for number, channels in enumerate((16, CHANNELS), start=1):
        outputs = layers.Conv2D(channels, 3, strides=2, name=f"block{number}_conv")(outputs)
        outputs = layers.BatchNormalization(name=f"block{number}_bn")(outputs)
        outputs = layers.ReLU(name=f"block{number}_out")(outputs)
    model = keras.Model(keras.utils.get_source_inputs(images), outputs, name=NAME)
    if weights:
        model.load_weights(weights)
    return model
