"""Initial weights of networks for which no weights are loaded."""

from collections.abc import Iterator

import keras
from keras import layers

from leukoscope.models import fusion
from leukoscope.models.architecture import Architecture, get
from leukoscope.models.attention import SqueezeExcitation

_FAR = 1000  # offset between the seeds of one network's kernels and the next's
_DRAWN = layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D | layers.Dense | SqueezeExcitation
# Layers that may stand between a residual branch's last batch norm and its sum, and that map zero to zero.
_BEHIND_BRANCH = layers.Dropout | SqueezeExcitation


def walk_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model from input to output, including those of nested models."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from walk_layers(layer)
        else:
            yield layer


def initialise(trunk: keras.Model, architecture: Architecture, seed: int) -> None:
    """Redraw the kernels for rectified units, so that a signal keeps its strength through all layers.

    He et al. 2015, Delving deep into rectifiers. With Keras' default initialiser, Glorot's, the signal dies out in a
    VGG; with pixels of 0-255 as input, it would be too strong for the softmax.

    Args:
        trunk: The trunk, as ``architecture.build`` returns it.
        architecture: Defines the spread of its pixels and its residual branches.
        seed: Seed of the first kernel; each further kernel uses the next seed.
    """
    if architecture.members:
        for number, member in enumerate(architecture.members):
            _initialise(fusion.list_own_layers(trunk, member), get(member), seed + _FAR * number)
    else:
        _initialise(list(walk_layers(trunk)), architecture, seed)


def _initialise(own_layers: list[keras.Layer], row: Architecture, seed: int) -> None:
    """Draw the kernels of the layers of one network, ordered from input to output, according to its row."""
    drawn = [layer for layer in own_layers if isinstance(layer, _DRAWN)]
    for number, layer in enumerate(drawn):
        scale = row.gain if number else row.gain / row.pixel_spread
        if isinstance(layer, layers.SeparableConv2D):
            _draw_depthwise(layer.depthwise_kernel, seed + number, scale)
            # No activation between its two kernels, so the second must not compensate for one (LeCun 1998).
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
    """Draw a kernel whose outputs each see a single input: ``[height, width, inputs, outputs per input]``."""
    height, width, inputs, multiplier = kernel.shape
    drawn = keras.initializers.HeNormal(seed)((height, width, 1, inputs * multiplier))
    kernel.assign(keras.ops.reshape(drawn, kernel.shape) * scale)


def _silence_branches(own_layers: list[keras.Layer], branch: int | None) -> None:
    """Start residual branches at zero, so that a deep network starts as a shallow one (Goyal et al. 2017, 5.1).

    Only if the architecture says which input of a sum is the branch: the other input often ends in a batch norm too,
    and with both at zero the network would never learn.
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
