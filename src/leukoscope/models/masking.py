"""The nuclei of a field, segmented by colour as the data set's authors do."""

from typing import Any

import keras
from keras import layers, ops

from leukoscope.features.colour import LEAST_COLOUR, NUCLEUS_HUES


@keras.saving.register_keras_serializable("leukoscope")
class NucleusMask(layers.Layer):
    """Set pixels outside a blue-violet band to 0, as Ghaderzadeh et al. 2022 segment these fields.

    In that band blue is the largest channel and green the smallest, and the hue in degrees is 240 + 60 (red - green) /
    (blue - green). Use the dtype float32 in mixed precision.

    Args:
        published: Whether to show the remaining pixels in the false colours of the authors' published fields: value,
            saturation and hue, computed with red and blue swapped and in OpenCV's units, as red, green and blue.
            Otherwise they keep their own colours.
        options: Options of every layer.

    Input and output: ``[batch, height, width, 3]``, RGB in 0-255.
    """

    def __init__(self, published: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.published = published

    def call(self, images: Any) -> Any:
        """Mask the fields."""
        red, green, blue = (images[..., channel] for channel in range(3))
        chroma = blue - green
        beyond = 60.0 * (red - green)
        lowest, highest = NUCLEUS_HUES
        violet = (blue >= red) & (beyond >= (lowest - 240) * chroma) & (beyond <= (highest - 240) * chroma)
        inside = violet & (255.0 * chroma >= LEAST_COLOUR * blue) & (blue >= LEAST_COLOUR)
        shown = images
        if self.published:
            hue = 180.0 - beyond / 2.0 / ops.maximum(chroma, 1.0)  # mirrored at 240 degrees, and halved
            shown = ops.stack([blue, 255.0 * chroma / ops.maximum(blue, 1.0), hue], axis=-1)
        return ops.where(inside[..., None], shown, 0.0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output shape, which equals the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return super().get_config() | {"published": self.published}
