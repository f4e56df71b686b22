"""Encode the page's pictures as file contents."""

import io

import numpy as np
from PIL import Image

_QUALITY = 92


def encode_picture(pixels: np.ndarray, side: int) -> bytes:
    """Encode an image, ``uint8 [height, width, 3]``, as a JPEG file of at most ``side`` pixels a side."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return encode(picture, "JPEG", quality=_QUALITY, subsampling=0)


def encode_map(heat: np.ndarray) -> bytes:
    """Colour a map so that, laid over its image, it looks like ``overlay`` at any opacity."""
    from leukoscope.inference.explanation import colour

    layers = np.concatenate([colour(heat), 255 * heat[..., None]], axis=2)
    return encode(Image.fromarray(np.rint(layers).astype(np.uint8), "RGBA"), "PNG")


def encode(picture: Image.Image, kind: str, **options: int) -> bytes:
    """Encode a picture as the content of a file of the given format, such as ``PNG``."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()
