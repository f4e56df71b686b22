"""Deterministic changes that mimic the same field under another stain, lamp, lens or camera.

If such a change flips a prediction, the prediction depends on what was changed (docs/second_opinion.md). The changes
are not learned from images. The robust recipe (conf/robust) trains on some of them, and on others of the same kind.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product

import numpy as np
from PIL import Image

Change = Callable[[np.ndarray], np.ndarray]

# Stored with every reader that tests its predictions this way: raise it when a change is added, removed or modified.
VERSION = 1
_NOISE_SEED = 0


def _stain(
    hue: tuple[float, float, float], strength: float, tint: tuple[float, float, float], image: np.ndarray
) -> np.ndarray:
    """Multiply the densities of red, green and blue by their factors and the strength, then add the slide's tint."""
    density = -np.log((image.astype(np.float32) + 1) / 256)
    return _to_uint8(256 * np.exp(-density * np.array(hue, np.float32) * strength - np.array(tint, np.float32)) - 1)


def _light(factors: tuple[float, float, float], image: np.ndarray) -> np.ndarray:
    """Multiply red, green and blue by their factors."""
    return _to_uint8(image * np.array(factors, np.float32))


def _shade(share: float, image: np.ndarray) -> np.ndarray:
    """Light the field from one side: brighter by the share at the left edge, darker by it at the right edge."""
    return _to_uint8(image * np.linspace(1 + share, 1 - share, image.shape[1], dtype=np.float32)[:, None])


def _blur(deviation: float, image: np.ndarray) -> np.ndarray:
    """Blur with a Gaussian; the standard deviation is in pixels of a field 224 pixels wide."""
    from scipy.ndimage import gaussian_filter

    width = deviation * len(image) / 224
    return _to_uint8(gaussian_filter(image.astype(np.float32), (width, width, 0)))


def _add_noise(deviation: float, image: np.ndarray) -> np.ndarray:
    """Add Gaussian noise, identical for all fields of the same size."""
    noise = np.random.default_rng(_NOISE_SEED).standard_normal(image.shape, dtype=np.float32)
    return _to_uint8(image + deviation * noise)


def _compress(quality: int, image: np.ndarray) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


def _resample(share: float, image: np.ndarray) -> np.ndarray:
    """Downsample the field, then enlarge it to its original size."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((max(1, round(width * share)), max(1, round(height * share))))
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


# Reddish and bluish dyes, weak and strong, on a yellowish and a cold slide: all eight combinations.
_HUES = ((0.7, 1.0, 1.15), (1.4, 1.0, 0.9))
_STRENGTHS = (0.65, 1.5)
_TINTS = ((0.0, 0.0, 0.1), (0.04, 0.0, -0.03))

CIRCUMSTANCES: Mapping[str, tuple[Change, ...]] = {
    "stain": tuple(partial(_stain, *lot) for lot in product(_HUES, _STRENGTHS, _TINTS)),
    "light": (
        partial(_light, (0.8, 0.8, 0.8)),
        partial(_light, (1.2, 1.2, 1.2)),
        partial(_light, (1.0, 0.95, 0.85)),
        partial(_light, (0.9, 0.95, 1.0)),
        partial(_shade, 0.15),
    ),
    "focus": (partial(_blur, 1.5), partial(_blur, 3.0)),
    "camera": (partial(_add_noise, 10.0), partial(_compress, 40), partial(_resample, 0.5)),
}


def change_fields(pixels: np.ndarray, change: Change) -> np.ndarray:
    """Apply a change to every field, ``uint8 [n, height, width, 3]``."""
    return np.stack([change(field) for field in pixels])
