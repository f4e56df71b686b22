"""The outline of a network: its blocks, with the shapes between them and their parameters."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from leukoscope.models import architecture
from leukoscope.models.fusion import list_trunk
from leukoscope.models.parts import FEATURES, RESIZE, VECTORS

# Descriptions of the main layers of a block, by layer class, in the order in which they are listed.
_TOLD = {
    "CutStrip": "strip of cells",
    "FilledSlots": "mask of free slots",
    "Luminance": "luminance",
    "NucleusMask": "mask of nuclei",
    "ReinhardNormalisation": "stain normalisation",
    "MacenkoNormalisation": "stain normalisation",
    "OpticalDensity": "optical density",
    "StainDeconvolution": "stain deconvolution",
    "Dct2D": "cosine transform",
    "Conv2D": "convolution",
    "DepthwiseConv2D": "depthwise convolution",
    "SeparableConv2D": "separable convolution",
    "GroupedConv2D": "grouped convolution",
    "MaxPooling2D": "max pooling",
    "AveragePooling2D": "average pooling",
    "AdaptiveAverage": "adaptive average pooling",
    "GlobalAveragePooling2D": "global average pooling",
    "GlobalMaxPooling2D": "global max pooling",
    "BilinearPooling": "bilinear pooling",
    "CellPooling": "pooling of cells",
    "LocalResponseNormalization": "response normalisation",
    "EfficientChannelAttention": "channel attention gate",
    "SqueezeExcitation": "squeeze-and-excitation gate",
    "Concatenate": "concatenation",
    "Add": "sum",
    "Dropout": "dropout",
    "Dense": "dense layer",
}


class BlockOutline(NamedTuple):
    """A block of a network.

    Attributes:
        name: As in ``training.trainable``, plus ``input``, ``stem`` and ``head``.
        shape: Shape of its output for one image, ``(height, width, channels)`` or ``(channels,)``.
        parameters: Number of its trainable parameters.
        contents: Its layers in words, such as ``3 convolutions``; empty if none of them is described.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    contents: tuple[str, ...]


def outline_network(network: keras.Model, architecture_name: str) -> list[tuple[BlockOutline, ...]]:
    """Divide a classifier's network into its blocks.

    Args:
        network: A network from ``build_classifier``.
        architecture_name: The architecture that it was built from.

    Returns:
        The successive steps from input to output: one block each, or, in a fusion, all members at once.
    """
    row = architecture.get(architecture_name)
    return _outline_fusion(network, row.members) if row.members else _outline_blocks(network, row)


def _outline_fusion(network: keras.Model, members: Sequence[str]) -> list[tuple[BlockOutline, ...]]:
    names = [layer.name for layer in network.layers]
    first = names.index(RESIZE) + 1
    last = names.index(FEATURES)
    trunks = {member: list_trunk(network, member) for member in members}
    of_trunks = {layer.name for trunk in trunks.values() for layer in trunk}
    joining = [layer for layer in network.layers[first:last] if layer.name not in of_trunks]
    return [
        (_outline("input", network.layers[:first]),),
        tuple(_outline(member, trunk) for member, trunk in trunks.items()),
        (_outline("fusion", joining),),
        (_outline("head", network.layers[last:]),),
    ]


def _outline_blocks(network: keras.Model, row: architecture.Architecture) -> list[tuple[BlockOutline, ...]]:
    names = [layer.name for layer in network.layers]
    starts = {
        "input": 0,
        "stem": names.index(RESIZE) + 1,
        **row.find_blocks(names),
        "head": names.index(VECTORS if VECTORS in names else FEATURES),  # what pools maps is told with what pools cells
    }
    ends = [*list(starts.values())[1:], len(names)]
    blocks: list[tuple[BlockOutline, ...]] = []
    for (name, start), end in zip(starts.items(), ends, strict=True):
        layers = network.layers[start:end]
        if layers:
            blocks.append((_outline(name, layers),))
    return blocks


def _outline(name: str, layers: Sequence[keras.Layer]) -> BlockOutline:
    parameters = sum(int(np.prod(variable.shape)) for layer in layers for variable in layer.trainable_variables)
    return BlockOutline(name, tuple(layers[-1].output.shape[1:]), parameters, tuple(_tell_contents(layers)))


def _tell_contents(layers: Sequence[keras.Layer]) -> list[str]:
    counts = Counter(type(layer).__name__ for layer in layers)
    return [_count(counts[name], words) for name, words in _TOLD.items() if counts[name]]


def _count(number: int, words: str) -> str:
    return words if number == 1 else f"{number} {words}s"
