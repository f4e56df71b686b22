"""The colours of a smear: dyes that absorb light, the lamp behind them and the camera in front."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter

from leukoscope.synthetic.cells import FIELD

# Optical densities of red, green and blue at one unit of haemoglobin, of the cytoplasmic and of the nuclear dye,
# at the two ends of each dye's range of hues.
_DYES = (
    ((0.25, 0.17, 0.09), (0.09, 0.16, 0.10)),
    ((0.27, 0.17, 0.03), (0.12, 0.19, 0.03)),
    ((0.46, 0.62, 0.11), (0.17, 0.50, 0.07)),
)
_BACKGROUNDS = ((0.97, 0.99, 1.02), (1.01, 1.00, 0.89))
_LOOK_SPREAD = 0.05


@dataclass(frozen=True)
class Stain:
    """The staining of one slide; each triple is for haemoglobin, cytoplasm and nucleus.

    Attributes:
        hues: Position of each dye in its range of hues, from 0 (bluish) to 1 (reddish).
        strengths: How concentrated each dye is, from 0 (weak) to 1 (strong).
        tint: Background, from 0 (cold white) to 1 (yellowish).
    """

    hues: tuple[float, ...]
    strengths: tuple[float, ...]
    tint: float

    @classmethod
    def draw(cls, rng: np.random.Generator, look: float | None = None) -> Self:
        """Draw a stain.

        Args:
            rng: Source of randomness.
            look: Centre, from 0 to 1, of a narrow range from which all values are drawn; if None, they are drawn
                independently from the full range.
        """
        low, high = (0, 1) if look is None else (look - _LOOK_SPREAD, look + _LOOK_SPREAD)
        *dyes, tint = rng.uniform(low, high, 2 * len(_DYES) + 1).tolist()
        return cls(tuple(dyes[::2]), tuple(dyes[1::2]), tint)

    @property
    def dyes(self) -> np.ndarray:
        """Optical densities at one unit of each dye [3 dyes, 3 channels]."""
        hues = [_mix(ends, at) for ends, at in zip(_DYES, self.hues, strict=True)]
        strengths = 0.6 + 0.6 * np.array(self.strengths)
        return strengths[:, None] * hues

    @property
    def background(self) -> np.ndarray:
        """Light that passes where there is no cell [3 channels], with 1 as the camera's white."""
        return _mix(_BACKGROUNDS, self.tint)


def photograph(amounts: np.ndarray, stain: Stain, rng: np.random.Generator) -> np.ndarray:
    """Shine light through a stained field: Beer-Lambert's law, then the lens and the sensor.

    Args:
        amounts: Dye in each pixel [size, size, 3 dyes], in the order of :attr:`Stain.dyes`.
        stain: The look of the dyes.
        rng: Source of randomness for the lamp's position, the focus and the noise.

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
    """Return the light of a slightly off-centre lamp [size, size], around 1."""
    rows, columns = np.linspace(-0.5, 0.5, size, dtype=np.float32) - rng.uniform(-0.3, 0.3, (2, 1)).astype(np.float32)
    falloff = rng.uniform(0.05, 0.35)
    return rng.uniform(0.98, 1.06) * (1 - falloff * (rows[:, None] ** 2 + columns**2))


def _mix(ends: tuple[tuple[float, ...], tuple[float, ...]], at: float) -> np.ndarray:
    low, high = np.array(ends)
    return low + at * (high - low)
