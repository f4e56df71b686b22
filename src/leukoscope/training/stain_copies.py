"""Copies of images under other stains: which ones does not depend on what else trains, so that they are seen once."""

import hashlib
from dataclasses import dataclass

import numpy as np

from leukoscope.features.stains import DENSITIES

_DENSITY = -np.log((np.arange(256, dtype="float32") + 1) / 256)  # of each level of light


@dataclass(frozen=True)
class StainCopy:
    """One copy of each image, whose dyes and light are changed as ``RandomStain`` changes them, by another draw.

    Each image is changed as a whole: all cells of a field alike. What is drawn depends on the image, and on no other.

    Args:
        stain: As in ``RandomStain``.
        brightness: See there.
        seed: For all draws.
        number: Of the copy.
        painted: The grey of what no light came through, such as what is around a cut-out cell, which stays as it is.
            ``None``: there is none.
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
        # Not by what is painted: how many slots of a strip are free depends on the other fields.
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
