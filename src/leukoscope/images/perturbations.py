"""Changes that fields from another laboratory may show, and outliers that are not valid fields at all."""

import io
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from leukoscope.features.stains import GIEMSA


class Perturbation(NamedTuple):
    """A change at graded strengths.

    Attributes:
        apply: Changes an image, ``uint8 [height, width, 3]``, at a level; random changes draw from the generator.
        levels: Levels, from weak to strong.
        unit: Unit of the levels.
    """

    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    levels: tuple[float, ...]
    unit: str


def perturb(images: np.ndarray, change: Perturbation, level: float, seed: int) -> np.ndarray:
    """Apply a change to every image; random draws depend on the seed and the image's position.

    Args:
        images: ``uint8 [n, height, width, 3]``.
        change: An entry of ``PERTURBATIONS`` or ``OUTLIERS``.
        level: Strength of the change.
        seed: Seed of the random draws.
    """
    draws = (np.random.default_rng([seed, number]) for number in range(len(images)))
    return np.stack([change.apply(image, level, rng) for image, rng in zip(images, draws, strict=True)])


def _shift_stain(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Scale haematoxylin up and eosin down, or the reverse (Ruifrok and Johnston 2001; Tellez et al. 2019)."""
    from skimage.color import hed2rgb, rgb2hed

    sign = rng.choice([-1, 1])
    stains = rgb2hed(image)
    # Apply as a ratio: scikit-image clips colours that no mixture of the dyes can give, and these must stay unchanged.
    return _to_uint8(image * (hed2rgb(stains * [1 + sign * level, 1 - sign * level, 1]) / hed2rgb(stains)))


def _restain(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Scale methylene blue, eosin and the residual independently, and shift each in density by a tenth of the level.

    The dyes differ from those of the stain augmentation in training, so that the test is not what was trained on.
    """
    signs = rng.choice([-1, 1], 6)
    return scale_dyes(image, 1 + level * signs[:3], level / 10 * signs[3:])


def scale_dyes(image: np.ndarray, factors: npt.ArrayLike, shifts: npt.ArrayLike = 0.0) -> np.ndarray:
    """Change the optical densities of Giemsa's dyes, as another staining of the same cells would.

    Args:
        image: ``uint8 [height, width, 3]``.
        factors: Factors of methylene blue, eosin and the residual.
        shifts: Added to each afterwards, in natural logarithms of light.
    """
    density = -np.log((image.astype(np.float32) + 1) / 256)
    # Convert to amounts of dye, which are what varies between laboratories, and back.
    dyes = density @ np.linalg.inv(GIEMSA) * np.asarray(factors) + np.asarray(shifts)
    return _to_uint8(256 * np.exp(-dyes @ GIEMSA) - 1)


def _rotate_hue(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    from skimage.color import hsv2rgb, rgb2hsv

    turned = rgb2hsv(image)
    turned[..., 0] = (turned[..., 0] + rng.choice([-1, 1]) * level / 360) % 1
    return _to_uint8(255 * hsv2rgb(turned))


def _make_grey(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    grey = np.asarray(Image.fromarray(image).convert("L"), float)[..., None]
    return _to_uint8((1 - level) * image + level * grey)


def _change_brightness(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return _to_uint8(image * (1 + rng.choice([-1, 1]) * level))


def _blur(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    from skimage.filters import gaussian

    return _to_uint8(gaussian(image, level * len(image) / 224, channel_axis=2, preserve_range=True))


def _add_noise(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return _to_uint8(image + rng.normal(0, level, image.shape))


def _compress(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=int(level))
    return np.asarray(Image.open(content))


def _zoom(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Magnify the middle of the field, as a stronger lens would."""
    height, width = image.shape[:2]
    left = width * (1 - 1 / level) / 2
    top = height * (1 - 1 / level) / 2
    box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box))


def _remove_cells(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Fill the field with its background (brighter than Otsu's threshold), including the background's noise."""
    from skimage.filters import gaussian, threshold_otsu

    grey = image.mean(axis=2)
    # A weighted blur: cells have weight zero, so only background spreads into their places.
    bright = (grey >= threshold_otsu(grey) if grey.min() < grey.max() else np.ones(grey.shape, bool))[..., None]
    width = level * len(image) / 224
    weight = np.maximum(gaussian(bright.astype(float), width, channel_axis=2), 1e-6)
    smooth = gaussian(image * bright, width, channel_axis=2, preserve_range=True) / weight
    noise = (image - smooth)[bright[..., 0]].std(axis=0)
    return _to_uint8(smooth + rng.normal(0, 1, image.shape) * noise)


def _exchange_dyes(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Show haematoxylin as DAB, and eosin as haematoxylin."""
    from skimage.color import hed2rgb, rgb2hed

    haematoxylin, eosin, rest = np.moveaxis(rgb2hed(image), 2, 0)
    return _to_uint8(255 * hed2rgb(np.stack([eosin, rest, haematoxylin], axis=2)))


def _show_photograph(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Show a crop, ``level`` pixels wide, of one of scikit-learn's photographs (a temple and a flower)."""
    photograph = _load_photographs()[rng.integers(2)]
    side = int(level)
    top, left = (rng.integers(length - side) for length in photograph.shape[:2])
    part = Image.fromarray(photograph[top : top + side, left : left + side])
    return np.asarray(part.resize(image.shape[1::-1], Image.Resampling.BOX))


@cache
def _load_photographs() -> list[np.ndarray]:
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


PERTURBATIONS = {
    "stain": Perturbation(_shift_stain, (0.1, 0.2, 0.4), "share of haematoxylin and eosin"),
    "restain": Perturbation(_restain, (0.1, 0.2, 0.4), "share of each dye"),
    "hue": Perturbation(_rotate_hue, (10, 30, 90), "degrees"),
    "grey": Perturbation(_make_grey, (0.5, 1.0), "share of colour taken out"),
    "brightness": Perturbation(_change_brightness, (0.1, 0.2, 0.3), "share"),
    "blur": Perturbation(_blur, (1.5, 3, 6), "standard deviation in pixels of 224"),
    "noise": Perturbation(_add_noise, (5, 15, 30), "standard deviation of 255"),
    "jpeg": Perturbation(_compress, (60, 30, 10), "quality"),
    "zoom": Perturbation(_zoom, (1.1, 1.25, 1.5), "times"),
}

# Images that a smear classifier should not give a prediction for.
OUTLIERS = {
    "blurred": Perturbation(_blur, (16,), "standard deviation in pixels of 224"),
    "no_cells": Perturbation(_remove_cells, (24,), "standard deviation in pixels of 224"),
    "other_stain": Perturbation(_exchange_dyes, (1,), "share of the dyes exchanged"),
    "photograph": Perturbation(_show_photograph, (224,), "pixels of the photograph"),
}
