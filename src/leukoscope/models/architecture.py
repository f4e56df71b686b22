"""The registry of architectures. It imports no Keras, so options and pipelines can query it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from itertools import product, starmap
from typing import TYPE_CHECKING, NamedTuple

from leukoscope.core.errors import InputError

if TYPE_CHECKING:
    import keras

# Each module registers its rows on import, in the order used by docs and tests.
_MODULES = ("applications", "hand_built")
# Efficient channel attention, and squeeze and excitation: either can be added after each block of any architecture.
ATTENTIONS = ("eca", "se")
# Prefix of the names of added attention layers; a number follows.
ATTENTION_NAME = "attention_"
# How a network that reads single cells pools them; in the network's name, ``_CELLS`` precedes the pooling.
POOLINGS = ("attention", "mean")
_CELLS = "cells"
_GREY = "grey"
_AT = "-at-"
# Joins the names of the architectures that a fused network runs side by side: a character TensorFlow allows in names.
JOINT = "."


class After(NamedTuple):
    """A block that starts right after a given layer, for networks that number their own layers automatically.

    Attributes:
        layer: Name of the last layer before the block.
    """

    layer: str


class CellReading(NamedTuple):
    """How a network reads the cells of a field one by one.

    Attributes:
        pooling: What it does with their vectors, one of ``POOLINGS``.
        grey: Whether it sees them without colour.
    """

    pooling: str
    grey: bool


@dataclass(frozen=True)
class Architecture:
    """Everything needed to build, initialise, train and explain a network.

    Attributes:
        title: Its name in figures and tables.
        input_size: Side in pixels of the images that its published weights were trained on.
        smallest_input: Smallest side in pixels that it accepts.
        preprocess: Maps raw RGB, ``[batch, side, side, 3]`` in 0-255, to the trunk's input. Loads Keras when called.
        build: Takes the output of ``preprocess`` and weights (``imagenet``, a file's path, or ``None`` for random
            ones) and returns the trunk: a flat model from the images to its last feature maps,
            ``[batch, height, width, channels]``, or to its last vector, ``[batch, channels]``, if it has dense layers.
        blocks: Where its blocks start, from input to output: each block's name and its first layer's name.
        parameters: Number of trainable parameters of the trunk, without moving statistics and added attention.
        pixel_spread: Approximate standard deviation of the pixels after its preprocessing.
        pixels: Keras preprocessing mode: ``caffe``, ``tf`` or ``torch``; empty if none of them applies, for example
            because the network scales internally.
        gain: How many times larger kernels are drawn than for rectified units, for activations that would otherwise
            let the signal die out.
        batch_size: Images in a training step, unless the recipe says otherwise.
        dropout: Share of features dropped before the classifier, unless the recipe says otherwise.
        branch: Which of the two inputs of its ``Add`` layers is the residual branch; with random weights, a branch that
            ends in a batch norm starts at zero. ``None``: no ``Add`` layer has exactly one such branch.
        attention: The attention added after each of its blocks, one of ``ATTENTIONS``; none if empty.
        cells: How it reads single cells; ``None``: it reads whole fields.
        layer: The layer at which it ends, by its name; empty: its last.
        imagenet: Whether Keras has its weights of ImageNet.
        backends: Where it can be built.
        members: The architectures that it has side by side, where it is a fusion of several.
        saved_by: The code whose ``save_weights`` writes a file that ``build`` takes.
        origin: The paper; what is faithful to it, and what is our choice.
    """

    title: str
    input_size: int
    smallest_input: int
    preprocess: Callable[["keras.KerasTensor"], "keras.KerasTensor"]
    build: Callable[["keras.KerasTensor", str | None], "keras.Model"]
    blocks: Mapping[str, str | After]
    parameters: int
    pixel_spread: float = 64.0
    pixels: str = ""
    gain: float = 1.0
    batch_size: int = 32
    dropout: float = 0.4
    branch: int | None = None
    attention: str = ""
    cells: CellReading | None = None
    layer: str = ""
    imagenet: bool = True
    backends: tuple[str, ...] = ("tensorflow", "jax", "torch")
    members: tuple[str, ...] = ()
    saved_by: str = ""
    origin: str = ""

    def find_block(self, block: str, layers: list[str]) -> int:
        """Return the index of the layer at which a block starts.

        Args:
            block: A key of ``blocks``.
            layers: The names of the layers, from input to output.

        Raises:
            InputError: The network's encoder ends before that block.
        """
        starts = self.find_blocks(layers)
        if block not in starts:
            end = self.layer or layers[-1]
            raise InputError(
                f"{self.title} has no {block} where its encoder ends at the layer {end}: of its blocks there are "
                f"{', '.join(starts) or 'none'}. Name one of these in training.trainable and training.block_rates, or "
                f"another layer."
            )
        return starts[block]

    def find_blocks(self, layers: list[str]) -> dict[str, int]:
        """Tell at which of a network's layers each block starts; an encoder that ends at a layer has not all of them.

        Args:
            layers: The names of the layers, from input to output.
        """
        starts = {}
        for block, start in self.blocks.items():
            name = start.layer if isinstance(start, After) else start
            if name in layers:
                place = layers.index(name) + isinstance(start, After)
                after_attention = isinstance(start, After) and layers[place].startswith(ATTENTION_NAME)
                starts[block] = place + after_attention  # which is of the block before
        return starts


_registry: dict[str, Architecture] = {}


def register(name: str, architecture: Architecture) -> None:
    """Register an architecture under a name.

    Raises:
        ValueError: The name is taken.
    """
    if name in _registry:
        raise ValueError(f"there is an architecture '{name}' already: {_registry[name].title}")
    _registry[name] = architecture


def list_names() -> list[str]:
    """List the names of all architectures."""
    for module in _MODULES:
        import_module(f"{__package__}.{module}")
    return list(_registry)


def require(name: str) -> None:
    """Check that an architecture of this name exists.

    Raises:
        ValueError: There is none; the message lists the closest names and all that exist.
    """
    names = list_names()
    for member in name.split(JOINT):
        _require_known(member, names)


def _require_known(name: str, names: list[str]) -> None:
    if name not in names:
        near = get_close_matches(name, names)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(f"there is no architecture '{name}': {hint}known are {', '.join(names)}")


def require_imagenet(architecture: Architecture, weights: str, parameter: str = "weights") -> None:
    """Check that ImageNet weights exist if a network is to start from them.

    Args:
        architecture: The network.
        weights: ``imagenet``, ``none``, or the path of a weights file.
        parameter: The parameter that sets the weights, for the message.

    Raises:
        InputError: There are no ImageNet weights.
    """
    if weights == "imagenet" and not architecture.imagenet:
        raise InputError(
            f"There are no ImageNet weights of {architecture.title} to be had from Keras. Set {parameter} to none, to "
            f"start from random weights, or to the path of a {architecture.title} weights file without its top "
            f"(.weights.h5)."
        )


# Approximate standard deviation of an image's pixels after each Keras preprocessing mode.
_SPREADS = {"caffe": 64.0, "tf": 0.5, "torch": 1.1}


def scale_pixels(architecture: Architecture, mode: str | None) -> Architecture:
    """Replace an architecture's preprocessing.

    Args:
        architecture: An architecture that uses one of Keras' preprocessing modes.
        mode: ``caffe``, ``tf`` or ``torch``; ``None``: keep its own.
    """
    if mode is None or mode == architecture.pixels:
        return architecture

    def preprocess(images: "keras.KerasTensor") -> "keras.KerasTensor":
        from keras.applications.imagenet_utils import preprocess_input

        return preprocess_input(images, data_format="channels_last", mode=mode)

    return replace(architecture, preprocess=preprocess, pixels=mode, pixel_spread=_SPREADS[mode])


def name_with_attention(name: str, attention: str | None) -> str:
    """Return an architecture's name with the attention added to it, if any: ``vgg16-eca``."""
    return f"{name}-{attention}" if attention else name


def name_of_cells(name: str, cells: CellReading) -> str:
    """Name an architecture that reads single cells: ``mobilenet_v2-cells-attention`` or ``vgg16-cells-mean-grey``."""
    return "-".join([name, _CELLS, cells.pooling, *([_GREY] if cells.grey else [])])


def name_with_end(name: str, layer: str | None) -> str:
    """Name an architecture with the layer at which it ends, if not at its last: ``vgg16-cells-mean-at-block4_pool``."""
    return f"{name}{_AT}{layer}" if layer else name


def get(name: str) -> Architecture:
    """Return an architecture by name, such as ``resnet50``.

    ``resnet50-eca`` is one with attention added to it, ``vgg16.mobilenet`` a fusion of two, and
    ``resnet50-cells-attention`` one that reads single cells. Behind ``-at-`` comes the layer at which it ends.

    Raises:
        InputError: There is none; the message lists the closest names and all that exist.
    """
    name, _, layer = name.partition(_AT)
    name, _, attention = name.partition("-")
    try:
        require(name)
    except ValueError as error:
        message = str(error)
        raise InputError(f"{message[0].upper()}{message[1:]}.") from error
    cells = _READINGS.get(attention)
    if attention and not cells and attention not in ATTENTIONS:
        raise InputError(f"There is no attention '{attention}': known are {', '.join(ATTENTIONS)}.")
    row = _fuse(name) if JOINT in name else _registry[name]
    if not attention and not layer:
        return row
    return replace(row, cells=cells, attention="" if cells else attention, layer=layer)


_READINGS = {
    name_of_cells("", reading).removeprefix("-"): reading
    for reading in starmap(CellReading, product(POOLINGS, (False, True)))
}


@cache
def _fuse(name: str) -> Architecture:
    from leukoscope.models.fusion import fuse

    return fuse(name.split(JOINT))
