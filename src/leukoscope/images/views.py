"""Rotated and mirrored views of a field, none of which says anything about its cells."""

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

View = Callable[[np.ndarray], np.ndarray]


def turn(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate images about their centre, counterclockwise.

    Quarter turns keep every pixel. Other angles interpolate linearly and mirror the field at its edges.

    Args:
        pixels: ``uint8 [n, side, side, 3]``.
        degrees: The angle.
    """
    quarters, rest = divmod(degrees, 90)
    turned = np.rot90(pixels, int(quarters), axes=(1, 2))
    if not rest:
        return turned
    side = pixels.shape[1]
    margin = -(-side // 4)  # the corners of a square turned by 45 degrees extend 0.21 of the side beyond it
    padded = np.pad(turned, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    rotated = [Image.fromarray(image).rotate(rest, Image.Resampling.BILINEAR) for image in padded]
    return np.stack([np.asarray(image) for image in rotated])[:, margin : margin + side, margin : margin + side]


def _turn_mirrored(pixels: np.ndarray, degrees: float) -> np.ndarray:
    return turn(pixels[:, :, ::-1], degrees)


# The first view of each is the unchanged field.
VIEWS: dict[str, tuple[View, ...]] = {
    "symmetries": (
        *(partial(turn, degrees=degrees) for degrees in range(0, 360, 90)),
        *(partial(_turn_mirrored, degrees=degrees) for degrees in range(0, 360, 90)),
    ),
    "rotations": tuple(partial(turn, degrees=degrees) for degrees in range(0, 360, 45)),
}
