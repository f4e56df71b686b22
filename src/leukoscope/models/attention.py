"""Attention over channels: a network weighs its feature maps by what all of them show."""

import math
from typing import Any

import keras
from keras import layers, ops

_FEWEST_UNITS = 8


@keras.saving.register_keras_serializable("leukoscope")
class EfficientChannelAttention(layers.Layer):
    """Scale each channel by a gate that its own mean and those of its neighbours open.

    Wang et al. 2020, ECA-Net: efficient channel attention for deep convolutional neural networks. The gates are the
    sigmoid of a convolution along the channels' means, with one kernel, no bias and zeros beyond the ends.

    Args:
        neutral: Whether it starts as a layer that changes nothing: with a kernel of zeros, so that all gates are at a
            half, and the output doubled. In the paper it is not.
        options: Those of every layer.

    Input and output: ``[batch, height, width, channels]``.
    """

    def __init__(self, neutral: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.neutral = neutral

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Make the kernel, whose size the number of channels decides."""
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
        """Give the shape of the output, which is that of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Give what makes such a layer again."""
        return super().get_config() | {"neutral": self.neutral}


def choose_kernel_size(channels: int) -> int:
    """Give the size of the kernel along so many channels: odd, and growing with their logarithm (3.3, equation 12)."""
    size = int(abs(math.log2(channels) / 2 + 0.5))
    return size if size % 2 else size + 1


@keras.saving.register_keras_serializable("leukoscope")
class SqueezeExcitation(layers.Layer):
    """Scale each channel by a gate that a small network of all channels' means opens.

    Hu et al. 2018, Squeeze-and-excitation networks.

    Args:
        ratio: The small network's hidden layer has so many times fewer units than there are channels, but 8 or more, of
            which hardly all start silent.
        neutral: Whether it starts as a layer that changes nothing: with a last kernel of zeros, so that all gates are
            at a half, and the output doubled. In the paper it is not.
        options: Those of every layer.

    Input and output: ``[batch, height, width, channels]``.
    """

    def __init__(self, ratio: int = 16, neutral: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.ratio, self.neutral = ratio, neutral

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Make the two layers, whose sizes the number of channels decides."""
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
        """Draw the kernels anew, but for one that starts at zero."""
        self.squeeze.kernel.assign(keras.initializers.HeNormal(seed)(self.squeeze.kernel.shape))
        if not self.neutral:
            self.excite.kernel.assign(keras.initializers.GlorotUniform(seed)(self.excite.kernel.shape))

    def call(self, maps: Any) -> Any:
        """Scale the maps."""
        gates = self.excite(self.squeeze(ops.mean(maps, axis=(1, 2))))[:, None, None, :]
        return maps * (2.0 * gates if self.neutral else gates)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give the shape of the output, which is that of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Give what makes such a layer again."""
        return super().get_config() | {"ratio": self.ratio, "neutral": self.neutral}
