"""Convert the weights of a state_dict into a network that computes the same function."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.attention import SqueezeExcitation
from leukoscope.models.torch_names import COUNTERS, NETWORKS, REFUSED, TorchNetwork

Tensors = Mapping[str, np.ndarray]


class Taken(NamedTuple):
    """A network with imported weights, and how each key was handled.

    Attributes:
        trunk: The architecture's trunk, without its top.
        used: The keys whose tensors were imported.
        left_out: The keys that were ignored on purpose.
    """

    trunk: keras.Model
    used: list[str]
    left_out: list[str]


def require_known(name: str) -> TorchNetwork:
    """Return the import table of a network in PyTorch.

    Args:
        name: Name of an architecture.

    Raises:
        InputError: No PyTorch network is known to compute the same function.
    """
    title = architecture.get(name).title
    if name in NETWORKS:
        return NETWORKS[name]
    reason = REFUSED.get(name, "there is no table of what its weights are called in PyTorch")
    raise InputError(
        f"Weights of PyTorch cannot become those of {title} ({name}): {reason}. Known are "
        f"{', '.join(NETWORKS)}. Nothing was written."
    )


def take_weights(name: str, tensors: Tensors) -> Taken:
    """Build an architecture's trunk with the weights of a state_dict.

    Args:
        name: Name of the architecture.
        tensors: The tensors of the state_dict, by key.

    Raises:
        InputError: It cannot compute the same function, or a key is missing, unknown, or has another shape.
    """
    network = require_known(name)
    tensors = _rename(network, tensors)
    row = architecture.get(name)
    images = keras.Input((row.input_size, row.input_size, 3))
    trunk = row.build(row.preprocess(images), None)
    slots = {layer.name: list(_list_slots(layer, network)) for layer in trunk.layers if layer.weights}
    needed = {key: shape for parts in slots.values() for key, shape in parts}
    left_out = _account(network, tensors, needed)
    for layer_name, parts in slots.items():
        layer = trunk.get_layer(layer_name)
        values = [tensors[key].astype("float64") for key, _ in parts]
        layer.set_weights(_require_finite(layer_name, _convert(layer, values, network)))
    return Taken(trunk, list(needed), left_out)


def _rename(network: TorchNetwork, tensors: Tensors) -> Tensors:
    renamed = dict(tensors)
    for old, new in network.old_names:
        renamed = {re.sub(old, new, key): tensor for key, tensor in renamed.items()}
    return renamed


def _list_slots(layer: keras.Layer, network: TorchNetwork) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the keys that a layer takes, with the shapes of their tensors, in the order that ``_convert`` expects."""
    prefix = network.layers[layer.name]
    if isinstance(layer, layers.BatchNormalization):
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{prefix}.{part}", tuple(layer.moving_mean.shape)
    elif isinstance(layer, SqueezeExcitation):
        for number, dense in enumerate((layer.squeeze, layer.excite), start=1):
            inputs, units = dense.kernel.shape
            yield f"{prefix}.fc{number}.weight", (units, inputs, 1, 1)
            yield f"{prefix}.fc{number}.bias", (units,)
    else:
        yield f"{prefix}.weight", _turn_shape(layer)
        if layer.use_bias:
            yield f"{prefix}.bias", tuple(layer.bias.shape)


def _turn_shape(layer: keras.Layer) -> tuple[int, ...]:
    """Return the shape of a layer's kernel in PyTorch, which puts outputs first."""
    shape = tuple(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        return shape[::-1]
    height, width, inputs, outputs = shape
    return (inputs, outputs, height, width) if _is_depthwise(layer) else (outputs, inputs, height, width)


def _is_depthwise(layer: keras.Layer) -> bool:
    return isinstance(layer, layers.DepthwiseConv2D)


def _account(network: TorchNetwork, tensors: Tensors, needed: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Account for every key, and return those that are ignored on purpose.

    Raises:
        InputError: One is missing, unknown, or of another shape, or the file is of a network with another function.
    """
    for pattern, reason in network.unlike:
        refused_key = next((key for key in tensors if re.fullmatch(pattern, key)), None)
        if refused_key:
            raise InputError(f"The file has the key '{refused_key}': {reason}. Nothing was written.")
    missing = [key for key in needed if key not in tensors]
    if missing:
        raise InputError(
            f"The file has no key '{missing[0]}', nor {len(missing) - 1} others of {len(needed)} that are needed. "
            f"Expected a state_dict of {network.source}. Nothing was written."
        )
    rest = [key for key in tensors if key not in needed]
    left_out = [key for key in rest if any(re.fullmatch(pattern, key) for pattern in (COUNTERS, *network.left_out))]
    unknown = sorted(set(rest) - set(left_out))
    if unknown:
        raise InputError(
            f"The file has the key '{unknown[0]}', and {len(unknown) - 1} others, for which the network has no place, "
            f"so that it would not compute the same. Expected a state_dict of {network.source}. Nothing was written."
        )
    for key, shape in needed.items():
        if tensors[key].shape != shape:
            raise InputError(
                f"'{key}' is of the shape {tensors[key].shape} in the file, and the network needs {shape}. Nothing was "
                f"written."
            )
    return left_out


def _convert(layer: keras.Layer, values: list[np.ndarray], network: TorchNetwork) -> list[np.ndarray]:
    """Convert a layer's weights to Keras' layout.

    Args:
        layer: A layer of our network.
        values: The tensors in the order of ``_list_slots``, in double precision.
        network: Defines how PyTorch's network differs.
    """
    if isinstance(layer, layers.BatchNormalization):
        gamma, beta, mean, variance = values
        variance = np.where(variance < 0, np.nan, variance)  # invalid; `_require_finite` reports it
        # PyTorch uses another epsilon in the denominator; the scale compensates for it.
        gamma = gamma * np.sqrt((variance + layer.epsilon) / (variance + network.epsilon))
        return [gamma, beta, mean, variance]
    if isinstance(layer, SqueezeExcitation):
        squeeze, squeeze_bias, excite, excite_bias = values
        return [squeeze[:, :, 0, 0].T, squeeze_bias, excite[:, :, 0, 0].T, excite_bias]
    kernel, *bias = values
    if isinstance(layer, layers.Dense):
        return [_flatten(kernel, network.flattened.get(layer.name)), *bias]
    kernel = kernel.transpose((2, 3, 0, 1) if _is_depthwise(layer) else (2, 3, 1, 0))
    return [kernel[::-1, ::-1] if network.turned else kernel, *bias]


def _flatten(kernel: np.ndarray, maps: tuple[int, int, int] | None) -> np.ndarray:
    """Transpose the kernel of a dense layer, ``[units, inputs]``, reordering preceding maps to channels last."""
    if maps is None:
        return kernel.T
    units = len(kernel)
    return kernel.reshape(units, *maps).transpose(2, 3, 1, 0).reshape(-1, units)


def _require_finite(name: str, values: list[np.ndarray]) -> list[np.ndarray]:
    if not all(np.isfinite(value).all() for value in values):
        raise InputError(
            f"The weights of {name} are not all finite, or a variance is negative: the file is damaged, or its "
            f"training failed. Nothing was written."
        )
    return values
