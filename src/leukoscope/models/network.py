"""Build, freeze, save and load a classifier that is a single network: raw images in, class probabilities out."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from leukoscope.core.errors import InputError, telling_damage
from leukoscope.features.macenko import MacenkoTarget
from leukoscope.images.batches import ImageBatches
from leukoscope.models import architecture, own_layers  # noqa: F401, for files that are loaded
from leukoscope.models.attention import add_attention
from leukoscope.models.base import NETWORK, NetworkRecipe, Prediction
from leukoscope.models.cell_layers import CellPooling, CutStrip, FilledSlots, Luminance
from leukoscope.models.deferred import MEMBER, list_checksums, read_member
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.initialisation import initialise, walk_layers
from leukoscope.models.normalising import ReinhardNormalisation
from leukoscope.models.parts import CROP, CUT, DROPOUT, FEATURES, FILLED, HEAD, NORM, NORMALISED, RESIZE, VECTORS, Parts
from leukoscope.models.unmixing import MacenkoNormalisation
from leukoscope.models.weights import build_trunk, end_at

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Classifier:
    """A network with the names of its classes.

    Attributes:
        network: Maps raw RGB images, ``[batch, height, width, 3]`` in 0-255 and of any size, to probabilities,
            ``[batch, classes]``.
        class_names: The classes in the order of the probabilities.
        trained_on: The fingerprint of the splits that it was trained on; empty before training.
        image_size: Side in pixels of the squares to which images were reduced, with antialiasing, before the network;
            0 before training. Its own layer resizes from there.
    """

    network: keras.Model
    class_names: tuple[str, ...]
    trained_on: str = ""
    image_size: int = 0

    @property
    def parts(self) -> Parts:
        """The network's parts, for callers that must not rely on layer names."""
        return Parts(self.network)

    @property
    def place(self) -> str:
        """Its name on disk."""
        return NETWORK

    def find_fault(self) -> str | None:
        """Return why it cannot be used, if so."""
        missing = self.parts.find_missing()
        return f"its network has no layer called {' or '.join(missing)}" if missing else None

    @property
    def capabilities(self) -> frozenset[str]:
        """What it offers beyond probabilities, as defined in ``base.Classifier``."""
        maps = {"class_maps"} if self.parts.has_feature_maps else set()
        return frozenset({"features", "export", "epochs"} | maps)

    @cached_property
    def _inference(self) -> keras.Model:
        """Predicts with less arithmetic. Built once, since the backend takes seconds to trace each new model."""
        model = Parts(fold_batch_norms(self.network)).predicting
        model.compile()
        return model

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which images to predict; all by default, and then they are held in memory.
            batch_size: Images at a time.
        """
        if rows is not None:
            batches = ImageBatches(pixels, rows, batch_size=batch_size)
            return Prediction(*self._inference.predict(batches, verbose=0))
        # Keras' predict loop is slow to start and leaks memory.
        starts = range(0, len(pixels), batch_size)
        parts = [self._inference.predict_on_batch(pixels[start : start + batch_size]) for start in starts]
        probabilities, features = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Prediction(probabilities, features)

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return the last layer's scores, before its softmax; they tell more than probabilities near 1."""
        kernel, bias = self.parts.linear_head
        return prediction.features @ kernel + bias

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights and the names of the classes: the first 16 hexadecimal digits of a SHA-256."""
        digest = hashlib.sha256(json.dumps(self.class_names).encode())
        for weights in self.network.get_weights():
            digest.update(np.ascontiguousarray(weights).data)
        return digest.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write a ``.keras`` file: plain Keras, plus one member for the facts that Keras does not store."""
        self.network.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            facts: dict[str, Any] = {
                "class_names": self.class_names,
                "trained_on": self.trained_on,
                "image_size": self.image_size,
            }
            facts |= {"fingerprint": self.fingerprint, "checksums": list_checksums(archive)}
            archive.writestr(MEMBER, json.dumps(facts))

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Read what ``save`` wrote, in Keras' safe mode.

        Raises:
            FileNotFoundError: There is no file.
            InputError: It is not a Keras model, lacks class names, or has unexpected inputs or outputs.
        """
        with telling_damage(path):
            with zipfile.ZipFile(path) as archive:
                facts = read_member(archive)
            names = facts["class_names"]
            loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
        network = _infer_by_default(loaded, path)
        if (network.input_shape, network.output_shape) != ((None, None, None, 3), (None, len(names))):
            raise InputError(
                f"{path} takes {network.input_shape} and gives {network.output_shape}. Expected raw RGB images of any "
                f"size, (None, None, None, 3), and a probability for each of {', '.join(names)}. Train it again."
            )
        return cls(network, names, facts["trained_on"], facts["image_size"])


def _infer_by_default(network: keras.Model, path: Path) -> keras.Model:
    """Rebuild a network whose plain call would train; earlier versions resized in training mode."""
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
    """Build a backbone with a new head: average pooling, a batch norm if the recipe says so, dropout and softmax.

    Args:
        backbone: The name of an architecture, as ``architecture.get`` takes it.
        recipe: A resolved recipe: its input size, dropout, weights, trainable part, batch norm momentum, norm before
            the last layer, pixel scaling and stain target are used.
        class_names: The classes in the order of the probabilities.
        seed: Seed of the initial weights and the dropout.
        precision: A Keras dtype policy; variables and probabilities are always float32.
        weights: Overrides the recipe's weights.

    Raises:
        InputError: The weights are unavailable or belong to another architecture.
    """
    row = architecture.scale_pixels(architecture.get(backbone), recipe.pixels)
    weights = weights or recipe.weights
    with _dtype_policy(precision):
        images = layers.Input((None, None, 3), name="image", dtype="float32")
        resized = _normalise(_resize(_cut(images, row.cells) if row.cells else images, recipe), recipe)
        trunk = build_trunk(row, weights, row.preprocess(resized))
        if weights == "none":
            initialise(trunk, row, seed)
        if row.attention:
            trunk = add_attention(trunk, row, seed)
        if row.layer:
            trunk = end_at(trunk, row.layer, row.title)
        features = _pool_cells(trunk, row.cells, seed) if row.cells else _pool(trunk.output, FEATURES)
        probabilities = _add_head(features, recipe, len(class_names), seed)
    network = keras.Model(trunk.inputs[0], probabilities, name=backbone)
    set_trainable(network, backbone, recipe.trainable)
    if recipe.batch_norm_momentum is not None:
        for layer in walk_layers(network):
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = recipe.batch_norm_momentum
    return Classifier(network, tuple(class_names))


def _cut(strips: keras.KerasTensor, cells: architecture.CellReading) -> keras.KerasTensor:
    """Split strips into crops of cells, without colour if the network reads none."""
    crops = CutStrip(dtype="float32", name=CUT)(strips)
    return Luminance(dtype="float32", name="luminance")(crops) if cells.grey else crops


def _resize(images: keras.KerasTensor, recipe: NetworkRecipe) -> keras.KerasTensor:
    side = round(recipe.input_size / recipe.centre_crop)
    resize = layers.Resizing(side, side, dtype="float32", name=RESIZE)
    # Keras' preprocessing layers default to training mode and would put all later layers into it.
    resized = resize(images, training=False)
    if side == recipe.input_size:
        return resized
    crop = layers.CenterCrop(recipe.input_size, recipe.input_size, dtype="float32", name=CROP)
    return crop(resized, training=False)


def _normalise(images: keras.KerasTensor, recipe: NetworkRecipe) -> keras.KerasTensor:
    """Match resized images to the training images' stains; only after resizing do all images have one size."""
    if recipe.stain_target is None:
        return images
    is_macenko = isinstance(recipe.stain_target, MacenkoTarget)
    method = MacenkoNormalisation if is_macenko else ReinhardNormalisation
    return method(*recipe.stain_target, dtype="float32", name=NORMALISED)(images)


def _add_head(features: keras.KerasTensor, recipe: NetworkRecipe, classes: int, seed: int) -> keras.KerasTensor:
    if recipe.head_norm:
        features = layers.BatchNormalization(dtype="float32", name=NORM)(features)
    features = layers.Dropout(recipe.dropout, seed=seed, name=DROPOUT)(features)
    kernel = keras.initializers.GlorotUniform(seed)
    head = layers.Dense(classes, activation="softmax", kernel_initializer=kernel, dtype="float32", name=HEAD)
    return head(features)


def _pool(last: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Pool a trunk's output into features: the mean of its maps, or its vector unchanged."""
    return (layers.GlobalAveragePooling2D if len(last.shape) == 4 else layers.Identity)(name=name)(last)


def _pool_cells(trunk: keras.Model, cells: architecture.CellReading, seed: int) -> keras.KerasTensor:
    """Pool a trunk's outputs for the cells of a field into the field's features."""
    filled = FilledSlots(dtype="float32", name=FILLED)(trunk.inputs[0])
    pool = CellPooling(cells.pooling, seed=seed, dtype="float32", name=FEATURES)
    return pool(_pool(trunk.output, VECTORS), filled)


def build_empty(backbone: str, recipe: NetworkRecipe, class_names: Sequence[str]) -> Classifier:
    """Build a float32 classifier whose weights are to be set later, whatever weights the recipe starts from."""
    return build_classifier(backbone, recipe, class_names, seed=0, weights="none")


def in_float32(classifier: Classifier, backbone: str, recipe: NetworkRecipe) -> Classifier:
    """Rebuild a classifier trained in mixed precision in plain float32, with the same weights."""
    rebuilt = build_empty(backbone, recipe, classifier.class_names)
    rebuilt.network.set_weights(classifier.network.get_weights())
    return rebuilt


def set_trainable(network: keras.Model, backbone: str, trainable: str) -> None:
    """Freeze the parts that are not trained. A frozen batch norm keeps its moving statistics and runs in inference.

    Args:
        network: A classifier's network; a model that trains it must be compiled again.
        backbone: The name of its architecture.
        trainable: ``all``, ``head``, or the name of the architecture's block from which on everything is trained.
    """
    names = [layer.name for layer in network.layers]
    if trainable == "all":
        first = 0
    elif trainable == "head":
        first = names.index(FEATURES)
    else:
        first = architecture.get(backbone).find_block(trainable, names)
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
