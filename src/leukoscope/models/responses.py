"""The normalisation of early networks, by the responses of neighbouring channels."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("leukoscope")
class LocalResponseNormalization(layers.Layer):
    """Divide each response by a power of the sum of squares of neighbouring channels.

    Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks, 3.3, as implemented in
    Caffe and PyTorch: ``x / (k + alpha / size * sum of squares) ** beta``. The paper does not divide by the size, and
    uses a ``k`` of 2. Channels beyond the ends count as 0. Use the dtype float32 in mixed precision.

    Args:
        size: Number of channels, odd: the response's own and its neighbours.
        alpha: As in the formula.
        beta: As in the formula.
        k: As in the formula.
        options: Options of every layer.

    Input and output: ``[batch, height, width, channels]``.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def call(self, maps: Any) -> Any:
        """Normalise the maps."""
        channels = maps.shape[-1]
        reach = self.size // 2
        squares = ops.pad(ops.square(maps), ((0, 0), (0, 0), (0, 0), (reach, reach)))
        total = sum(squares[..., start : start + channels] for start in range(self.size))
        return maps / ops.power(self.k + self.alpha / self.size * total, self.beta)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        arguments = {"size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
        return super().get_config() | arguments
