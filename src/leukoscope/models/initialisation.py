"""The weights that a network starts from where none are loaded."""

from collections.abc import Iterator

import keras
from keras import layers

from leukoscope.models import fusion
from leukoscope.models.architecture import Architecture, get
from leukoscope.models.attention import SqueezeExcitation

_FAR = 1000  # from the seeds of one network's kernels to those of the next
_DRAWN = layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D | layers.Dense | SqueezeExcitation
# What may stand between a residual branch's last batch norm and its sum, and leaves a zero as it is.
_BEHIND_BRANCH = layers.Dropout | SqueezeExcitation


def walk_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Go through the layers of a model from input to output, and through those of models in it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from walk_layers(layer)
        else:
            yield layer


def initialise(trunk: keras.Model, architecture: Architecture, seed: int) -> None:
    """Draw the kernels anew for rectified units, so that a signal keeps its strength through all layers.

    He et al. 2015, Delving deep into rectifiers. With the initialiser that Keras' networks come with, Glorot's, it
    dies out in a VGG; with pixels of 0-255 in front of it, it would be too strong for the softmax.

    Args:
        trunk: As ``architecture.build`` gives it.
        architecture: Says how its pixels spread and where its residual branches are.
        seed: Of the first kernel; each has the next.
    """
    if architecture.members:
        for number, member in enumerate(architecture.members):
            _initialise(fusion.list_own_layers(trunk, member), get(member), seed + _FAR * number)
    else:
        _initialise(list(walk_layers(trunk)), architecture, seed)


def _initialise(own_layers: list[keras.Layer], row: Architecture, seed: int) -> None:
    """Draw the kernels of a network by its row, whose layers are given from input to output."""
    drawn = [layer for layer in own_layers if isinstance(layer, _DRAWN)]
    for number, layer in enumerate(drawn):
        scale = row.gain if number else row.gain / row.pixel_spread
        if isinstance(layer, layers.SeparableConv2D):
            _draw_depthwise(layer.depthwise_kernel, seed + number, scale)
            # No unit rectifies between its two kernels, so that the second must not make up for one (LeCun 1998).
            kernel = layer.pointwise_kernel
            kernel.assign(keras.initializers.LecunNormal(seed + number)(kernel.shape))
        elif isinstance(layer, layers.DepthwiseConv2D):
            _draw_depthwise(layer.kernel, seed + number, scale)
        elif isinstance(layer, SqueezeExcitation):
            layer.draw(seed + number)
        else:
            layer.kernel.assign(keras.initializers.HeNormal(seed + number)(layer.kernel.shape) * scale)
    _silence_branches(own_layers, row.branch)


def _draw_depthwise(kernel: keras.Variable, seed: int, scale: float) -> None:
    """Draw a kernel of which each output sees one input only: ``[height, width, inputs, outputs an input]``."""
    height, width, inputs, multiplier = kernel.shape
    drawn = keras.initializers.HeNormal(seed)((height, width, 1, inputs * multiplier))
    kernel.assign(keras.ops.reshape(drawn, kernel.shape) * scale)


def _silence_branches(own_layers: list[keras.Layer], branch: int | None) -> None:
    """Let residual branches start at zero, so that a deep network starts as a shallow one (Goyal et al. 2017, 5.1).

    Only where an architecture says which input of a sum is the branch: what is no branch ends in a batch norm as often,
    and with both at zero nothing would ever be learned.
    """
    if branch is None:
        return
    for layer in own_layers:
        if isinstance(layer, layers.Add):
            last = layer.input[branch]._keras_history.operation
            if isinstance(last, _BEHIND_BRANCH):
                last = last.input._keras_history.operation
            if isinstance(last, layers.BatchNormalization) and last.scale:
                last.gamma.assign(keras.ops.zeros(last.gamma.shape))
