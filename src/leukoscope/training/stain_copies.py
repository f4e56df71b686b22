"""Copies of images with other stains, independent of what else trains, so that features are computed only once."""

import hashlib
from dataclasses import dataclass

import numpy as np

from leukoscope.features.stains import DENSITIES

_DENSITY = -np.log((np.arange(256, dtype="float32") + 1) / 256)  # optical density of each grey level


@dataclass(frozen=True)
class StainCopy:
    """One copy of each image, with dyes and light changed as in ``RandomStain``, by another draw.

    Each image is changed as a whole: all cells of a field alike. The draw depends on this image alone.

    Args:
        stain: As in ``RandomStain``.
        brightness: As in ``RandomStain``.
        seed: Seed of all draws.
        number: Number of the copy.
        painted: The grey of painted pixels, such as the surround of a cut-out cell, which stay unchanged.
            ``None``: there are none.
    """

    stain: float
    brightness: float
    seed: int
    number: int
    painted: int | None = None

    def change(self, images: np.ndarray) -> np.ndarray:
        """Change images, ``uint8 [images, height, width, 3]``."""
        return np.stack([self._change(image) for image in images])

    def _change(self, image: np.ndarray) -> np.ndarray:
        shown = np.ones(image.shape[:2], bool) if self.painted is None else (image != self.painted).any(axis=-1)
        pixels = image[shown]
        # Not of painted pixels: how many slots of a strip are free depends on the other fields.
        digest = hashlib.blake2b(pixels.tobytes(), digest_size=8).digest()
        rng = np.random.default_rng([self.seed, self.number, int.from_bytes(digest, "big")])
        changed = image.copy()
        changed[shown] = self._restain(pixels, rng)
        return changed

    def _restain(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change the dyes of ``uint8 [pixels, 3]`` (Tellez et al. 2019)."""
        scale = 1 + rng.uniform(-self.stain, self.stain, 3)
        shift = rng.uniform(-self.stain / 10, self.stain / 10, 3)
        light = rng.uniform(-self.brightness, self.brightness)
        matrix = np.linalg.inv(DENSITIES) * scale @ DENSITIES
        density = _DENSITY[pixels] @ matrix.astype("float32") + (shift @ DENSITIES - np.log1p(light)).astype("float32")
        return np.clip(np.rint(256 * np.exp(-density) - 1), 0, 255).astype(np.uint8)
