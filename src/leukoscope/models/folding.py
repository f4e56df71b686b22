"""Fold batch norms into the convolutions before them: less arithmetic for networks that are not trained further."""

from collections import Counter
from typing import Any

import keras
import numpy as np
from keras import layers

_CONVOLUTIONS = layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D


def fold_batch_norms(network: keras.Model) -> keras.Model:
    """Copy a network for inference, with batch norms folded into the convolutions that they follow.

    A convolution and the batch norm after it, with its moving statistics, are one affine map of the pixels, hence one
    convolution (Jacob et al. 2018, Quantization and training of neural networks, 3.2). If another layer also uses the
    convolution's output, both stay as they are.

    Args:
        network: A network with channels last, in which each layer is called once.

    Returns:
        A network with separate weights whose outputs equal those of the original in inference, up to rounding; layers
        keep their names. If there is nothing to fold, the network itself.
    """
    pairs = _pair(network)
    if not pairs:
        return network
    norms = {norm.name for norm in pairs.values()}

    def copy(layer: keras.Layer) -> keras.Layer:
        use_bias = {"use_bias": True} if layer.name in pairs else {}
        return type(layer).from_config(layer.get_config() | use_bias)

    def call(layer: keras.Operation, *args: Any, **options: Any) -> Any:
        return args[0] if layer.name in norms else layer(*args, **options)

    folded = keras.models.clone_model(network, clone_function=copy, call_function=call)
    for layer in folded.layers:
        if layer.weights:
            original = network.get_layer(layer.name)
            layer.set_weights(_fold(original, pairs[layer.name]) if layer.name in pairs else original.get_weights())
    return folded


def _pair(network: keras.Model) -> dict[str, layers.BatchNormalization]:
    """Find the batch norms that are the only consumers of a convolution, keyed by the convolution's name."""
    inputs = [id(tensor) for operation in network.operations for tensor in keras.tree.flatten(operation.input)]
    taken = Counter([*inputs, *map(id, network.outputs)])
    convolutions = {
        id(layer.output): layer.name
        for layer in network.layers
        if isinstance(layer, _CONVOLUTIONS) and layer.activation is keras.activations.linear
    }
    return {
        convolutions[id(layer.input)]: layer
        for layer in network.layers
        if isinstance(layer, layers.BatchNormalization)
        and id(layer.input) in convolutions
        and taken[id(layer.input)] == 1
    }


def _fold(convolution: keras.Layer, norm: layers.BatchNormalization) -> list[np.ndarray]:
    """Return the kernels and the bias of both layers as one; with two successive kernels, the last is scaled."""
    weights = convolution.get_weights()
    bias = weights.pop() if convolution.use_bias else 0
    kernel = weights.pop()
    mean, variance, gamma, beta = (
        keras.ops.convert_to_numpy(variable).astype("float64") if variable is not None else default
        for variable, default in ((norm.moving_mean, 0), (norm.moving_variance, 1), (norm.gamma, 1), (norm.beta, 0))
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    shape = kernel.shape[2:] if isinstance(convolution, layers.DepthwiseConv2D) else scale.shape
    return [*weights, kernel * scale.reshape(shape), (bias - mean) * scale + beta]
