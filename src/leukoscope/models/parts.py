"""The parts of a classifier's network. No other module may look up a layer by name."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from leukoscope.core.errors import InputError
from leukoscope.models.cell_layers import CellPooling, SlotVectors, cut_strip, join_strip
from leukoscope.models.fusion import JOINED

# Layers of networks that read single cells: splitting strips, marking filled slots, and each cell's vector.
CUT = "cut"
FILLED = "filled"
VECTORS = "vectors"
RESIZE = "resize"
CROP = "crop"
FEATURES = "features"
NORM = "head_norm"
DROPOUT = "dropout"
NORMALISED = "normalised"
HEAD = "probabilities"


class LinearHead(NamedTuple):
    """The linear map from features to scores at inference, including any layers between them.

    Attributes:
        kernel: ``[channels, classes]``.
        bias: ``[classes]``.
    """

    kernel: np.ndarray
    bias: np.ndarray


class PooledMaps(NamedTuple):
    """Feature maps whose means are features, and their weights in each class's score at inference.

    Attributes:
        maps: ``[batch, height, width, channels]``.
        kernel: ``[channels, classes]``.
    """

    maps: keras.KerasTensor
    kernel: np.ndarray


class Parts:
    """The parts of a classifier's network, which share its weights.

    Args:
        network: A network from ``build_classifier``, with batch norms folded or not.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network

    def find_missing(self) -> list[str]:
        """List required parts that the network lacks."""
        names = {layer.name for layer in self.network.layers}
        return [name for name in (FEATURES, HEAD) if name not in names]

    @property
    def reads_cells(self) -> bool:
        """Whether it takes strips of cells rather than whole fields."""
        return any(layer.name == CUT for layer in self.network.layers)

    def cut(self, images: Any) -> Any:
        """Return what is resized and augmented one by one: crops of strips, ``[batch * cells, side, side, 3]``.

        Args:
            images: The network's input; whole fields are returned unchanged.
        """
        return cut_strip(images) if self.reads_cells else images

    def join(self, crops: Any, images: Any) -> Any:
        """Return the network's input from modified crops; free slots of strips are grey as before.

        Args:
            crops: As ``cut`` returns them, at any side.
            images: The images they were cut from, of a known shape.
        """
        return join_strip(crops, images) if self.reads_cells else crops

    @property
    def resized_side(self) -> int:
        """Side in pixels to which it resizes images before cropping their centre."""
        return self.network.get_layer(RESIZE).height

    @property
    def centre_crop(self) -> float:
        """The share of an image's side, around its centre, that it sees."""
        crops = [layer.height for layer in self.network.layers if layer.name == CROP]
        return crops[0] / self.resized_side if crops else 1.0

    @property
    def trunk(self) -> keras.Model:
        """Maps images to features, ``[batch, channels]``."""
        return keras.Model(self.network.inputs, self.network.get_layer(FEATURES).output)

    @property
    def frozen(self) -> keras.Model:
        """Maps images to the values that stay fixed while only the head trains: features.

        If the network weighs cells, which is part of its head: the vectors of the slots, and whether each is filled,
        ``[batch, cells, channels + 1]``.
        """
        if not self._weighs_cells:
            return self.trunk
        kept = SlotVectors(dtype="float32")(*(self.network.get_layer(name).output for name in (VECTORS, FILLED)))
        return keras.Model(self.network.inputs, kept)

    @property
    def _weighs_cells(self) -> bool:
        return bool(self.pooling and self.pooling.weights)

    @property
    def pooling(self) -> CellPooling | None:
        """The layer that pools cell vectors; ``None`` if it reads whole fields."""
        layer = self.network.get_layer(FEATURES)
        return layer if isinstance(layer, CellPooling) else None

    @property
    def cell_vectors(self) -> keras.Model:
        """Maps strips to the vector of each cell, ``[batch * cells, channels]``, and which slots are filled."""
        outputs = [self.network.get_layer(name).output for name in (VECTORS, FILLED)]
        return keras.Model(self.network.inputs, outputs)

    @property
    def pooled_maps(self) -> tuple[PooledMaps, ...]:
        """The last feature maps, or each joined stage's in a fusion; empty if features are not means of maps.

        The means over positions of ``maps @ kernel`` add up to the classes' scores, up to the bias.
        """
        if not self._pooled:
            return ()
        ends = np.cumsum([maps.shape[-1] for maps, _ in self._pooled])
        kernels = np.split(self.linear_head.kernel, ends[:-1])
        return tuple(
            PooledMaps(maps, rows if norm is None else _find_scale(norm)[:, None] * rows)
            for (maps, norm), rows in zip(self._pooled, kernels, strict=True)
        )

    @property
    def _pooled(self) -> list[tuple[keras.KerasTensor, layers.BatchNormalization | None]]:
        """The maps of ``pooled_maps``, each with the batch norm behind its pooling, if any; no weights are read."""
        features = self.network.get_layer(FEATURES)
        if isinstance(features, layers.GlobalAveragePooling2D):
            return [(features.input, None)]
        joined = _find_maker(features.input) if isinstance(features, layers.Identity) else features
        norms = [_find_maker(vector) for vector in joined.input] if joined.name == JOINED else []
        return [(_find_maker(norm.input).input, norm) for norm in norms]

    @property
    def has_feature_maps(self) -> bool:
        """Whether a class can be localised in a field in closed form."""
        return bool(self._pooled)

    @property
    def feature_maps(self) -> keras.Model:
        """Maps images to each of the maps in ``pooled_maps``, ``[batch, height, width, channels]``.

        Raises:
            InputError: It has none.
        """
        if not self.has_feature_maps:
            raise InputError(
                f"The network {self.network.name} has no feature maps before its last layer, so that Grad-CAM has no "
                f"closed form. Explain it by occlusion."
            )
        return keras.Model(self.network.inputs, [maps for maps, _ in self._pooled])

    @property
    def predicting(self) -> keras.Model:
        """Maps images to probabilities and features."""
        return keras.Model(self.network.inputs, [self.network.output, self.network.get_layer(FEATURES).output])

    @property
    def head(self) -> layers.Dense:
        """The last layer, which outputs probabilities."""
        return self.network.get_layer(HEAD)

    @property
    def norm(self) -> layers.BatchNormalization | None:
        """The batch norm between the features and the last layer, if any."""
        return next((layer for layer in self.network.layers if layer.name == NORM), None)

    @property
    def linear_head(self) -> LinearHead:
        """The map from features to scores; a batch norm is folded into it with its moving statistics."""
        kernel, bias = self.head.get_weights()
        if self.norm is None:
            return LinearHead(kernel, bias)
        _, beta, mean, _ = self.norm.get_weights()
        scale = _find_scale(self.norm)
        folded = scale[:, None] * kernel
        return LinearHead(folded.astype("float32"), (bias + (beta - mean * scale) @ kernel).astype("float32"))

    def train_head(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Apply the layers trained after a frozen trunk: a batch norm if there is one, dropout and the last layer.

        Args:
            features: As ``frozen`` returns them; cells are weighed first.
        """
        if self.pooling and self._weighs_cells:
            features = self.pooling(features[..., :-1], features[..., -1])
        if self.norm is not None:
            features = self.norm(features)
        return self.head(self.network.get_layer(DROPOUT)(features))


def _find_maker(tensor: keras.KerasTensor) -> layers.Layer:
    return tensor._keras_history.operation


def _find_scale(norm: layers.BatchNormalization) -> np.ndarray:
    """Return the factor by which a batch norm scales each channel at inference, ``float64 [channels]``."""
    gamma, _, _, variance = (values.astype("float64") for values in norm.get_weights())
    return gamma / np.sqrt(variance + norm.epsilon)
