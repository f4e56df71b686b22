"""A backbone that trains in a moment, for what does not depend on which backbone it is."""

import keras
from keras import layers

from leukoscope.models import architecture, network
from leukoscope.models.architecture import Backbone
from leukoscope.training import recipe

NAME, CHANNELS = "tiny", 32


def add(set_attribute=setattr) -> None:
    """Add the row to the table and the builder to ``keras.applications``.

    Args:
        set_attribute: Sets an attribute of a module, like ``monkeypatch.setattr``, which undoes it.
    """
    row = Backbone(
        builder="Tiny",
        module="vgg16",
        title="Tiny",
        input_size=32,
        pixel_spread=64.0,
        smallest_input=16,
        batch_size=16,
        dropout=0.1,
        blocks={"block2": "block1_out"},
    )
    table = {**architecture.BACKBONES, NAME: row}
    for module in (architecture, network, recipe):
        set_attribute(module, "BACKBONES", table)
    set_attribute(keras.applications, "Tiny", build)


def build(include_top: bool, weights: str | None, input_tensor: keras.KerasTensor, name: str) -> keras.Model:
    """Build the network, with a signature like that of any of ``keras.applications``."""
    outputs = input_tensor
    for number, channels in enumerate((16, CHANNELS), start=1):
        outputs = layers.Conv2D(channels, 3, strides=2, name=f"block{number}_conv")(outputs)
        outputs = layers.BatchNormalization(name=f"block{number}_bn")(outputs)
        outputs = layers.ReLU(name=f"block{number}_out")(outputs)
    model = keras.Model(keras.utils.get_source_inputs(input_tensor), outputs, name=name)
    if weights:
        model.load_weights(weights)
    return model
