"""Files of tensors as others write them, made of networks that are registered here."""

import json
from pathlib import Path

import keras
import numpy as np

from leukoscope.models import architecture
from leukoscope.models.torch_names import NETWORKS


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], **header) -> Path:
    """Write float32 arrays as the format says; ``header`` replaces what it says of a tensor."""
    content, facts = b"", {"__metadata__": {"format": "pt"}}
    for key, tensor in tensors.items():
        part = tensor.astype("<f4").tobytes()
        facts[key] = {"dtype": "F32", "shape": list(tensor.shape)}
        facts[key]["data_offsets"] = [len(content), len(content) + len(part)]
        content += part
    text = json.dumps(facts | header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def build_trunk(name: str, size: int, seed: int = 1) -> keras.Model:
    """Build a trunk of raw pixels, with numbers of which none is what a layer starts from."""
    row = architecture.scale_pixels(architecture.get(name), NETWORKS[name].pixels)
    trunk = row.build(row.preprocess(keras.Input((size, size, 3))), None)
    draw = np.random.default_rng(seed)
    for layer in trunk.layers:
        values = []
        for variable in layer.weights:
            fan = np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 1
            centre, spread = (0, (2 / fan) ** 0.5) if len(variable.shape) > 1 else (0, 0.1)
            if variable.name in ("gamma", "moving_variance"):
                centre = 0.8
            drawn = draw.normal(centre, spread, variable.shape)
            values.append(np.abs(drawn) if centre else drawn)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            values[0] *= np.sqrt(values[0].shape[2])
        if values:
            layer.set_weights(values)
    return trunk


def name_as_torch(trunk: keras.Model, name: str) -> dict[str, np.ndarray]:
    """Give a trunk's weights as PyTorch has them, as if it had trained the network."""
    network, tensors = NETWORKS[name], {}
    for layer in trunk.layers:
        if not layer.weights:
            continue
        prefix, values = network.layers[layer.name], layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            tensors |= {f"{prefix}.weight": values[0], f"{prefix}.bias": values[1]}
            tensors |= {f"{prefix}.running_mean": values[2], f"{prefix}.running_var": values[3]}
            tensors[f"{prefix}.num_batches_tracked"] = np.zeros(())
            continue
        pairs = {prefix: values} if len(values) < 4 else {f"{prefix}.fc1": values[:2], f"{prefix}.fc2": values[2:]}
        for key, (kernel, *bias) in pairs.items():
            tensors[f"{key}.weight"] = _turn(kernel, layer, key)
            tensors |= {f"{key}.bias": values for values in bias}
    return tensors


def _turn(kernel: np.ndarray, layer: keras.Layer, key: str) -> np.ndarray:
    if ".se_module." in key:
        return kernel.T[:, :, None, None]
    if layer.name == "fc6":  # of maps of 6x6, which PyTorch has behind their channels
        return np.moveaxis(kernel.reshape(6, 6, 256, -1), (3, 2), (0, 1)).reshape(-1, 9216)
    if kernel.ndim == 2:
        return kernel.T
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return np.moveaxis(kernel, (2, 3), (0, 1))
    return np.moveaxis(kernel, (3, 2), (0, 1))
