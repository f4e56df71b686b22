"""Building, freezing, saving and loading a classifier: a backbone, raw images in, class probabilities out."""

import hashlib
import json
import logging
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from leukoscope.core.errors import InputError, telling_damage
from leukoscope.models.architecture import BACKBONES, Backbone
from leukoscope.models.base import NetworkRecipe

logger = logging.getLogger(__name__)

_OWN_MEMBER = "leukoscope.json"


@dataclass(frozen=True)
class Classifier:
    """A network with the names of its classes.

    Attributes:
        network: Takes raw RGB images, ``[batch, height, width, 3]`` in 0-255 and of any size, and gives
            probabilities, ``[batch, classes]``.
        class_names: The classes in the order of the probabilities.
        trained_on: The fingerprint of the splits that it was trained on; empty before training.
        image_size: Side in pixels of the squares to which images were reduced, with antialiasing, before it saw them; 0
            before training. Its own layer resizes from there.
    """

    network: keras.Model
    class_names: tuple[str, ...]
    trained_on: str = ""
    image_size: int = 0

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights and the names of the classes: the first 16 hexadecimal digits of a SHA-256."""
        digest = hashlib.sha256(json.dumps(self.class_names).encode())
        for weights in self.network.get_weights():
            digest.update(np.ascontiguousarray(weights).data)
        return digest.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write a ``.keras`` file: plain Keras, with one member more that says what Keras does not."""
        self.network.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            own = {"class_names": self.class_names, "trained_on": self.trained_on, "image_size": self.image_size}
            archive.writestr(_OWN_MEMBER, json.dumps(own))

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Read what ``save`` wrote, in Keras' safe mode.

        Raises:
            FileNotFoundError: There is no file.
            InputError: It is no Keras model, one without class names, or one that takes or gives something else.
        """
        with telling_damage(path):
            with zipfile.ZipFile(path) as archive:
                own = json.loads(archive.read(_OWN_MEMBER))
            names, trained_on, image_size = tuple(own["class_names"]), own["trained_on"], own["image_size"]
            loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
        network = _infer_by_default(loaded, path)
        if (network.input_shape, network.output_shape) != ((None, None, None, 3), (None, len(names))):
            raise InputError(
                f"{path} takes {network.input_shape} and gives {network.output_shape}. Expected raw RGB images of any "
                f"size, (None, None, None, 3), and a probability for each of {', '.join(names)}. Train it again."
            )
        return cls(network, names, trained_on, image_size)


def _infer_by_default(network: keras.Model, path: Path) -> keras.Model:
    """Rebuild a network whose plain call would train: those of earlier versions resized in training mode."""
    modes = [_list_modes(layer) for layer in network.layers]
    if not any(True in mode for mode in modes):
        return network

    def call(layer: keras.Operation, *args: Any, **options: Any) -> Any:
        return layer(*args, **options | ({"training": False} if options.get("training") else {}))

    mended = keras.models.clone_model(network, call_function=call)
    mended.set_weights(network.get_weights())
    logger.warning(
        "%s was saved by an earlier version, and a plain call of it would change its weights. It is used in inference "
        "mode; run the pipeline again to save it so.",
        path,
    )
    return mended


def _list_modes(layer: keras.Layer) -> list[bool | None]:
    return [node.arguments.kwargs.get("training") for node in layer._inbound_nodes]


def build_classifier(
    backbone: str,
    recipe: NetworkRecipe,
    class_names: Sequence[str],
    seed: int,
    precision: str = "float32",
    weights: str | None = None,
) -> Classifier:
    """Build a backbone with a new head: average pooling, dropout and one softmax layer.

    Args:
        backbone: A key of ``BACKBONES``.
        recipe: A resolved recipe: its input size, dropout, weights, trainable part and batch norm's momentum
            are used.
        class_names: The classes in the order of the probabilities.
        seed: For the initial weights and the dropout.
        precision: A Keras dtype policy; variables and probabilities are float32 in each.
        weights: Instead of the recipe's.

    Raises:
        InputError: The weights cannot be had or are another architecture's.
    """
    row = BACKBONES[backbone]
    weights = weights or recipe.weights
    with _dtype_policy(precision):
        images = layers.Input((None, None, 3), name="image", dtype="float32")
        resize = layers.Resizing(recipe.input_size, recipe.input_size, dtype="float32", name="resize")
        # Keras' preprocessing layers default to training, and would put all later layers into that mode.
        resized = resize(images, training=False)
        base = _build_base(row, weights, _preprocess(row, resized))
        features = layers.GlobalAveragePooling2D(name="features")(base.output)
        features = layers.Dropout(recipe.dropout, seed=seed, name="dropout")(features)
        probabilities = layers.Dense(
            len(class_names),
            activation="softmax",
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            dtype="float32",
            name="probabilities",
        )(features)
    network = keras.Model(images, probabilities, name=backbone)
    if weights == "none":
        _initialise_convolutions(base, row, seed)
    set_trainable(network, backbone, recipe.trainable)
    if recipe.batch_norm_momentum is not None:
        for layer in base.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = recipe.batch_norm_momentum
    return Classifier(network, tuple(class_names))


def build_empty(backbone: str, recipe: NetworkRecipe, class_names: Sequence[str]) -> Classifier:
    """Build a classifier in float32 whose weights are still to be set, whatever weights the recipe starts from."""
    return build_classifier(backbone, recipe, class_names, seed=0, weights="none")


def in_float32(classifier: Classifier, backbone: str, recipe: NetworkRecipe) -> Classifier:
    """Rebuild a classifier that was trained in mixed precision with the same weights in plain float32."""
    rebuilt = build_empty(backbone, recipe, classifier.class_names)
    rebuilt.network.set_weights(classifier.network.get_weights())
    return rebuilt


def _preprocess(row: Backbone, images: keras.KerasTensor) -> keras.KerasTensor:
    module = import_module(f"keras.applications.{row.module}")
    return module.preprocess_input(images, data_format="channels_last")


def _build_base(row: Backbone, weights: str, images: keras.KerasTensor) -> keras.Model:
    builder = getattr(keras.applications, row.builder)
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise InputError(
            f"There is no weights file '{weights}'. Give `weights` as imagenet, none, or the path of a "
            f"{row.title} weights file without its top (.h5 or .weights.h5)."
        )
    try:
        return builder(
            include_top=False,
            weights=None if weights == "none" else weights,
            input_tensor=images,
            name=row.module,
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if weights == "none":
            raise
        raise InputError(_explain_weights(row, weights, error)) from error


def _explain_weights(row: Backbone, weights: str, error: Exception) -> str:
    if weights != "imagenet":
        return (
            f"'{weights}' does not hold the weights of {row.title} without its top: {error} "
            f"Save them with keras.applications.{row.builder}(include_top=False).save_weights(...)."
        )
    address = re.search(r"https?://\S+?\.h5", str(error))
    file = address.group().rsplit("/", 1)[1] if address else "its weights file"
    folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return (
        f"The ImageNet weights of {row.title} could not be downloaded: {error} "
        f"Get {address.group() if address else file} elsewhere and put it at "
        f"{folder / 'models' / file}, give the path of a weights file as `weights`, "
        f"or train from random weights with `weights: none`."
    )


def _initialise_convolutions(base: keras.Model, row: Backbone, seed: int) -> None:
    """Draw the kernels anew for rectified units, so that a signal keeps its strength through all layers.

    He et al. 2015, Delving deep into rectifiers. With the initialiser that Keras' backbones come with, Glorot's, it
    dies out in a VGG; with pixels of 0-255 in front of it, it would be too strong for the softmax.
    """
    convolutions = [layer for layer in base.layers if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)]
    for number, layer in enumerate(convolutions):
        height, width, inputs, outputs = layer.kernel.shape
        if isinstance(layer, layers.DepthwiseConv2D):  # each output sees one input only
            inputs, outputs = 1, inputs * outputs
        kernel = keras.initializers.HeNormal(seed + number)((height, width, inputs, outputs))
        scale = 1.0 if number else 1.0 / row.pixel_spread
        layer.kernel.assign(keras.ops.reshape(kernel, layer.kernel.shape) * scale)
    for layer in base.layers:
        if isinstance(layer, layers.Add):
            _silence(layer.input[1])


def _silence(branch: keras.KerasTensor) -> None:
    """Let a residual branch start at zero, so that a deep network starts as a shallow one (Goyal et al. 2017, 5.1)."""
    last = branch._keras_history.operation
    if isinstance(last, layers.BatchNormalization) and last.scale:
        last.gamma.assign(keras.ops.zeros(last.gamma.shape))


def set_trainable(network: keras.Model, backbone: str, trainable: str) -> None:
    """Freeze what does not train. A frozen batch norm keeps its moving statistics: Keras infers with it.

    Args:
        network: Of a classifier; a model that trains it must be compiled anew.
        backbone: A key of ``BACKBONES``.
        trainable: ``all``, ``head``, or the name of one of the backbone's blocks, from which on all trains.
    """
    names = [layer.name for layer in network.layers]
    if trainable == "all":
        first = 0
    elif trainable == "head":
        first = names.index("features")
    else:
        first = names.index(BACKBONES[backbone].blocks[trainable]) + 1
    for number, layer in enumerate(network.layers):
        layer.trainable = number >= first


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
