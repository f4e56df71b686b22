"""The parts of a classifier's network. No other file may ask a network for a layer by its name."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from leukoscope.core.errors import InputError

RESIZE, CROP, FEATURES, NORM, DROPOUT = "resize", "crop", "features", "head_norm", "dropout"
HEAD = "probabilities"


class LinearHead(NamedTuple):
    """What makes scores of features at inference, all that lies between them included.

    Attributes:
        kernel: ``[channels, classes]``.
        bias: ``[classes]``.
    """

    kernel: np.ndarray
    bias: np.ndarray


class Parts:
    """The parts of a classifier's network, which share its weights.

    Args:
        network: As ``build_classifier`` builds it; folded or not.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network

    def find_missing(self) -> list[str]:
        """List the parts that a network lacks which anything could have come from."""
        names = {layer.name for layer in self.network.layers}
        return [name for name in (FEATURES, HEAD) if name not in names]

    @property
    def resized_side(self) -> int:
        """Side in pixels to which it resizes images, before it cuts out their centre."""
        return self.network.get_layer(RESIZE).height

    @property
    def centre_crop(self) -> float:
        """The share of an image's side that it sees, from the middle."""
        crops = [layer.height for layer in self.network.layers if layer.name == CROP]
        return crops[0] / self.resized_side if crops else 1.0

    @property
    def trunk(self) -> keras.Model:
        """Images to features, ``[batch, channels]``."""
        return keras.Model(self.network.inputs, self.network.get_layer(FEATURES).output)

    @property
    def has_feature_maps(self) -> bool:
        """Whether its features are means of maps, so that a class can be found in a field in closed form."""
        return isinstance(self.network.get_layer(FEATURES), layers.GlobalAveragePooling2D)

    @property
    def feature_maps(self) -> keras.Model:
        """Images to the last feature maps, ``[batch, height, width, channels]``.

        Raises:
            InputError: It has none.
        """
        if not self.has_feature_maps:
            raise InputError(
                f"The network {self.network.name} has no feature maps before its last layer, so that Grad-CAM has no "
                f"closed form. Explain it by occlusion."
            )
        return keras.Model(self.network.inputs, self.network.get_layer(FEATURES).input)

    @property
    def predicting(self) -> keras.Model:
        """Images to probabilities and features."""
        return keras.Model(self.network.inputs, [self.network.output, self.network.get_layer(FEATURES).output])

    @property
    def head(self) -> layers.Dense:
        """The last layer, which gives probabilities."""
        return self.network.get_layer(HEAD)

    @property
    def norm(self) -> layers.BatchNormalization | None:
        """The batch norm between features and the last layer, if there is one."""
        return next((layer for layer in self.network.layers if layer.name == NORM), None)

    @property
    def linear_head(self) -> LinearHead:
        """The map from features to scores: a batch norm with its moving statistics is a part of the last layer."""
        kernel, bias = self.head.get_weights()
        if self.norm is None:
            return LinearHead(kernel, bias)
        gamma, beta, mean, variance = (values.astype("float64") for values in self.norm.get_weights())
        scale = gamma / np.sqrt(variance + self.norm.epsilon)
        folded = scale[:, None] * kernel
        return LinearHead(folded.astype("float32"), (bias + (beta - mean * scale) @ kernel).astype("float32"))

    def train_head(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Apply what trains behind a frozen trunk: a batch norm if there is one, dropout and the last layer."""
        if self.norm is not None:
            features = self.norm(features)
        return self.head(self.network.get_layer(DROPOUT)(features))
