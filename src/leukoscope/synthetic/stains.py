"""How a smear takes colour: dyes that absorb light, the lamp behind them and the camera in front."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter

from leukoscope.synthetic.cells import FIELD

# Optical densities of red, green and blue at one unit of dye, at the two ends of each dye's range of hues.
_DYES = {
    "haemoglobin": ((0.25, 0.17, 0.09), (0.09, 0.16, 0.10)),
    "cytoplasm": ((0.27, 0.17, 0.03), (0.12, 0.19, 0.03)),
    "nucleus": ((0.46, 0.62, 0.11), (0.17, 0.50, 0.07)),
}
_BACKGROUNDS = ((0.97, 0.99, 1.02), (1.01, 1.00, 0.89))
_LOOK_SPREAD = 0.07


@dataclass(frozen=True)
class Stain:
    """One staining of one slide; each figure but the strength runs from 0 to 1.

    Attributes:
        hue: Nuclei and cytoplasm, from blue-violet to magenta.
        counterstain: Erythrocytes, from bluish to greyish pink.
        tint: Background, from cold white to yellowish.
        strength: Factor on the optical densities of all dyes, about 1.
    """

    hue: float
    counterstain: float
    tint: float
    strength: float

    @classmethod
    def draw(cls, rng: np.random.Generator, look: float | None = None) -> Self:
        """Draw a stain.

        Args:
            rng: Source of randomness.
            look: Where on their ranges, from 0 to 1, all hues lie but for a small spread; anywhere
                and independently of one another when None.
        """
        if look is None:
            hues = rng.random(3)
        else:
            hues = np.clip(rng.normal(look, _LOOK_SPREAD / 2, 3), look - _LOOK_SPREAD, look + _LOOK_SPREAD)
        return cls(*hues.tolist(), strength=rng.uniform(0.6, 1.15))

    @property
    def dyes(self) -> np.ndarray:
        """Optical densities [3 dyes, 3 channels]: haemoglobin, cytoplasm, nucleus."""
        hues = (self.counterstain, self.hue, self.hue)
        return self.strength * np.array([_mix(ends, at) for ends, at in zip(_DYES.values(), hues, strict=True)])

    @property
    def background(self) -> np.ndarray:
        """Light that passes where there is no cell [3 channels], 1 being the camera's white."""
        return _mix(_BACKGROUNDS, self.tint)


def photograph(amounts: np.ndarray, stain: Stain, rng: np.random.Generator) -> np.ndarray:
    """Shine light through a stained field: Beer-Lambert's law, then the lens and the sensor.

    Args:
        amounts: Dye in each pixel [size, size, 3 dyes], in the order of :attr:`Stain.dyes`.
        stain: What the dyes look like.
        rng: Source of the lamp's position, the focus and the noise.

    Returns:
        RGB image [size, size, 3], uint8.
    """
    size = len(amounts)
    light = _illumination(size, rng)[..., None] * stain.background.astype(np.float32)
    image = light * np.power(10, -amounts @ stain.dyes.astype(np.float32))
    focus = rng.uniform(0.3, 0.9) * size / FIELD
    image = gaussian_filter(image, (focus, focus, 0))
    image += rng.uniform(0.003, 0.012) * rng.standard_normal(image.shape, dtype=np.float32)
    return (255 * np.clip(image, 0, 1)).round().astype(np.uint8)


def _illumination(size: int, rng: np.random.Generator) -> np.ndarray:
    """Light of a lamp that is a little off centre [size, size], about 1."""
    rows, columns = np.linspace(-0.5, 0.5, size, dtype=np.float32) - rng.uniform(-0.3, 0.3, (2, 1)).astype(np.float32)
    falloff = rng.uniform(0.05, 0.35)
    return rng.uniform(0.98, 1.06) * (1 - falloff * (rows[:, None] ** 2 + columns**2))


def _mix(ends: tuple[tuple[float, ...], tuple[float, ...]], at: float) -> np.ndarray:
    low, high = np.array(ends)
    return low + at * (high - low)
