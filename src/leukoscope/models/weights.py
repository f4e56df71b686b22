"""A network's trunk with its initial weights, and explanations when these are unavailable."""

import os
import re
from difflib import get_close_matches
from pathlib import Path

import keras

from leukoscope.core.errors import InputError
from leukoscope.models.architecture import Architecture, require_imagenet

_COUNT = re.compile(r"_\d+$")


def build_trunk(architecture: Architecture, weights: str, images: keras.KerasTensor) -> keras.Model:
    """Build an architecture's trunk.

    Args:
        architecture: The architecture to build.
        weights: ``imagenet``, ``none``, or the path of a weights file.
        images: The output of its preprocessing.

    Raises:
        InputError: The weights are unavailable or belong to another architecture, or this backend cannot run it.
    """
    if keras.backend.backend() not in architecture.backends:
        raise InputError(
            f"Keras cannot build {architecture.title} under the backend {keras.backend.backend()}. Set KERAS_BACKEND "
            f"to {' or '.join(architecture.backends)}, or choose another architecture."
        )
    require_imagenet(architecture, weights)
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise InputError(
            f"There is no weights file '{weights}'. Give `weights` as imagenet, none, or the path of a "
            f"{architecture.title} weights file without its top (.h5 or .weights.h5)."
        )
    try:
        return architecture.build(images, None if weights == "none" else weights)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if weights == "none":
            raise
        raise InputError(_explain(architecture, weights, error)) from error


def end_at(trunk: keras.Model, layer: str, title: str) -> keras.Model:
    """Return a trunk that ends at one of its layers, with the same weights.

    Args:
        trunk: The whole trunk.
        layer: The name of a layer that outputs maps, ``[batch, height, width, channels]``, or a vector.
        title: Title of the architecture, for messages.

    Raises:
        InputError: There is no such layer, it has another kind of output, or Keras named it by a counter.
    """
    ends = {candidate.name: candidate.output for candidate in trunk.layers if _is_end(candidate)}
    if layer in ends:
        return keras.Model(trunk.inputs, ends[layer], name=trunk.name)
    near = get_close_matches(layer, ends) or list(ends)[-3:]
    raise InputError(
        f"{title} has no layer '{layer}' at which a network could end. Expected one of its layers that it names "
        f"itself, such as {', '.join(near)}."
    )


def _is_end(layer: keras.Layer) -> bool:
    """Check whether a layer outputs maps or a vector, is not an input layer, and has the same name in every build."""
    shape = getattr(layer.output, "shape", ())
    return len(shape) in (2, 4) and not isinstance(layer, keras.layers.InputLayer) and not _is_counted(layer)


def _is_counted(layer: keras.Layer) -> bool:
    """Check whether Keras named a layer, like ``conv2d_40``: by its class, and by how many the process built before."""
    return _COUNT.sub("", layer.name).replace("_", "") == type(layer).__name__.lower()


def _explain(architecture: Architecture, weights: str, error: Exception) -> str:
    if weights != "imagenet":
        return (
            f"'{weights}' does not hold the weights of {architecture.title} without its top: {error} "
            f"Save them with {architecture.saved_by}.save_weights(...)."
        )
    address = re.search(r"https?://\S+?\.h5", str(error))
    file = address.group().rsplit("/", 1)[1] if address else "its weights file"
    folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return (
        f"The ImageNet weights of {architecture.title} could not be downloaded: {error} "
        f"Get {address.group() if address else file} elsewhere and put it at "
        f"{folder / 'models' / file}, give the path of a weights file as `weights`, "
        f"or train from random weights with `weights: none`."
    )
