"""Channel attention: a network weighs its feature maps by what all of them show."""

import math
from typing import Any

import keras
from keras import layers, ops

from leukoscope.models.architecture import ATTENTION_NAME, After, Architecture
from leukoscope.models.pooling import AdaptiveAverage

_FEWEST_UNITS = 8
# Layers that stand between two blocks; the attention of a block goes before them.
_POOLINGS = layers.MaxPooling2D | layers.AveragePooling2D | AdaptiveAverage
_BETWEEN = _POOLINGS | layers.ZeroPadding2D | layers.Flatten | layers.Dropout


@keras.saving.register_keras_serializable("leukoscope")
class EfficientChannelAttention(layers.Layer):
    """Scale each channel by a gate computed from its own mean and its neighbours' means.

    Wang et al. 2020, ECA-Net: efficient channel attention for deep convolutional neural networks. The gates are the
    sigmoid of a convolution along the channels' means, with one kernel, no bias and zeros beyond the ends.

    Args:
        neutral: Whether to start as the identity: the kernel is zero, so all gates are 0.5, and the output is doubled.
            The paper does not do this.
        options: Options of every layer.

    Input and output: ``[batch, height, width, channels]``.
    """

    def __init__(self, neutral: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.neutral = neutral

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the kernel; its size depends on the number of channels."""
        size = choose_kernel_size(input_shape[-1])
        initializer = "zeros" if self.neutral else "glorot_uniform"
        self.kernel = self.add_weight(shape=(size, 1, 1), initializer=initializer, name="kernel")

    def call(self, maps: Any) -> Any:
        """Scale the maps."""
        means = ops.mean(maps, axis=(1, 2))
        scores = ops.conv(means[:, :, None], self.kernel, padding="same", data_format="channels_last")
        gates = ops.sigmoid(scores[:, None, None, :, 0])
        return maps * (2.0 * gates if self.neutral else gates)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return super().get_config() | {"neutral": self.neutral}


def choose_kernel_size(channels: int) -> int:
    """Return the kernel size for this many channels: odd, and growing with their logarithm (3.3, equation 12)."""
    size = int(abs(math.log2(channels) / 2 + 0.5))
    return size if size % 2 else size + 1


@keras.saving.register_keras_serializable("leukoscope")
class SqueezeExcitation(layers.Layer):
    """Scale each channel by a gate that a small network computes from the means of all channels.

    Hu et al. 2018, Squeeze-and-excitation networks.

    Args:
        ratio: By how many times the hidden layer is smaller than the number of channels; it has at least 8 units, so
            that all of them are unlikely to start inactive.
        neutral: Whether to start as the identity: the last kernel is zero, so all gates are 0.5, and the output is
            doubled. The paper does not do this.
        options: Options of every layer.

    Input and output: ``[batch, height, width, channels]``.
    """

    def __init__(self, ratio: int = 16, neutral: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.ratio = ratio
        self.neutral = neutral

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the two layers; their sizes depend on the number of channels."""
        channels = input_shape[-1]
        units = max(_FEWEST_UNITS, channels // self.ratio)
        self.squeeze = layers.Dense(units, activation="relu", dtype=self.dtype_policy, name="squeeze")
        self.squeeze.build((None, channels))
        initializer = "zeros" if self.neutral else "glorot_uniform"
        self.excite = layers.Dense(
            channels, activation="sigmoid", kernel_initializer=initializer, dtype=self.dtype_policy, name="excite"
        )
        self.excite.build((None, units))

    def draw(self, seed: int) -> None:
        """Redraw the kernels, except one that starts at zero."""
        self.squeeze.kernel.assign(keras.initializers.HeNormal(seed)(self.squeeze.kernel.shape))
        if not self.neutral:
            self.excite.kernel.assign(keras.initializers.GlorotUniform(seed)(self.excite.kernel.shape))

    def call(self, maps: Any) -> Any:
        """Scale the maps."""
        gates = self.excite(self.squeeze(ops.mean(maps, axis=(1, 2))))[:, None, None, :]
        return maps * (2.0 * gates if self.neutral else gates)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return super().get_config() | {"ratio": self.ratio, "neutral": self.neutral}


def add_attention(trunk: keras.Model, architecture: Architecture, seed: int) -> keras.Model:
    """Copy a trunk with attention at the end of each of its blocks, before the pooling that follows it.

    Layers before the architecture's first block count as a block. The copy initially computes the same features.

    Args:
        trunk: The trunk, as ``architecture.build`` returns it.
        architecture: Defines where the blocks start and which attention to add.
        seed: Seed of the kernels; each layer adds its index.
    """
    ends = _find_ends(trunk, architecture)
    kind = {"eca": EfficientChannelAttention, "se": SqueezeExcitation}[architecture.attention]

    def call(layer: keras.Operation, *args: Any, **options: Any) -> Any:
        maps = layer(*args, **options)
        if layer.name not in ends:
            return maps
        return kind(neutral=True, name=f"{ATTENTION_NAME}{ends.index(layer.name) + 1}")(maps)

    attended = keras.models.clone_model(trunk, call_function=call)
    for number, layer in enumerate(attended.layers):
        if not layer.name.startswith(ATTENTION_NAME):
            layer.set_weights(trunk.get_layer(layer.name).get_weights())
        elif isinstance(layer, SqueezeExcitation):
            layer.draw(seed + number)
    return attended


def _find_ends(trunk: keras.Model, architecture: Architecture) -> list[str]:
    """Return the names of the operations that output the last maps of each block, from input to output."""
    afters = [
        trunk.get_layer(start.layer).output if isinstance(start, After) else trunk.get_layer(start).input
        for start in architecture.blocks.values()
    ]
    ends = [_find_last_maps(tensor) for tensor in [*afters, trunk.output]]
    return list(dict.fromkeys(end.name for end in ends if end))


def _find_last_maps(tensor: keras.KerasTensor) -> keras.Operation | None:
    """Return the operation that outputs the last maps before pooling and dense layers; none where branches meet."""
    end = tensor._keras_history.operation
    while isinstance(end, _BETWEEN) or len(end.output.shape) != 4:
        if not isinstance(end.input, keras.KerasTensor):
            return None
        end = end.input._keras_history.operation
    return end
