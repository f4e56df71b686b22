"""Stain normalisation by an image's own dyes, whose colours and strengths are matched to a target's.

Macenko, Niethammer, Marron et al. 2009, A method for normalizing histology slides for quantitative analysis (ISBI):
by the Beer-Lambert law, the optical densities of what two dyes stain lie in the plane of their colours, and what only
one dye stains lies near its edges. The paper's dyes are haematoxylin and eosin; here, a blood smear's azure and eosin.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from leukoscope.core.errors import InputError
from leukoscope.features.normalisation import DARKEST, MOST_GAIN, StainTarget, fit_target

# The paper's beta: pixels with a shorter optical density, in decades, are background.
BACKGROUND = 0.15
# The paper's alpha: percentiles of the angles that represent pure dyes, and of amounts that represent their maximum.
LOW = 0.01
HIGH = 0.99
# An image with a smaller share of stained pixels has too few of them for such percentiles.
LEAST_STAINED = 0.01
# The sine of the smallest angle at which two dyes are distinguishable: noise alone spreads a colour by a few degrees.
LEAST_SPREAD = 0.1
DYES = ("azure", "eosin")
COLOURS = ("red", "green", "blue")


class MacenkoTarget(NamedTuple):
    """The dyes to which images are normalised.

    Attributes:
        azure: Optical densities of the dye that absorbs less green, a unit vector of red, green and blue. Using red,
            which separates haematoxylin from eosin, would take pale grey erythrocytes for nuclei.
        eosin: Optical densities of the other dye.
        most: The 99th percentiles of both dyes' amounts, in decades.
    """

    azure: tuple[float, float, float]
    eosin: tuple[float, float, float]
    most: tuple[float, float]

    def describe(self) -> dict[str, float]:
        """Return each number with its name."""
        names = [f"{colour} of {dye}" for dye in DYES for colour in COLOURS] + [f"most of {dye}" for dye in DYES]
        return dict(zip(names, (*self.azure, *self.eosin, *self.most), strict=True))


def measure_densities(image: np.ndarray) -> np.ndarray:
    """Convert pixels to optical densities, in decades: RGB in 0-255 to ``float64 [..., 3]``, 0 for white."""
    return -np.log10(np.maximum(np.asarray(image, float), DARKEST) / 255)


def find_dyes(image: np.ndarray) -> MacenkoTarget | None:
    """Find the two dyes of an image, and the amount of each.

    Args:
        image: RGB in 0-255, ``[height, width, 3]``.

    Returns:
        The dyes, or ``None`` if less than a hundredth of the image is stained (``BACKGROUND``), or if its colours are
        grey or come from one dye (``LEAST_SPREAD``).
    """
    densities = measure_densities(image).reshape(-1, 3)
    stained = densities[np.linalg.norm(densities, axis=1) >= BACKGROUND]
    if len(stained) < LEAST_STAINED * len(densities):
        return None
    # The plane of the two largest eigenvectors, the largest first. Moments about white, not about the mean.
    plane = np.linalg.eigh(stained.T @ stained / len(stained))[1][:, :0:-1]
    plane *= np.where(plane.sum(axis=0) < 0, -1, 1)  # densities are positive, and so is their main direction
    inside = stained @ plane
    # Angles in that plane: pixels of a single dye lie at either edge of the fan.
    sines = inside[:, 1] / np.maximum(np.hypot(*inside.T), 1e-6)
    angles = np.arcsin(np.quantile(sines, (LOW, HIGH), method="inverted_cdf"))
    if np.sin(np.ptp(angles)) < LEAST_SPREAD:
        return None
    dyes = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane.T
    # Azure lets more green through than eosin does.
    dyes = dyes[np.argsort(dyes[:, 1], kind="stable")]
    most = np.quantile(stained @ np.linalg.pinv(dyes), HIGH, axis=0, method="inverted_cdf")
    azure, eosin = dyes.tolist()
    return MacenkoTarget(tuple(azure), tuple(eosin), tuple(most.tolist()))


def fit_dyes(images: Iterable[np.ndarray]) -> MacenkoTarget:
    """Average the dyes of images, and their amounts; images without two dyes are skipped.

    Args:
        images: ``uint8 [height, width, 3]`` each; one at a time is in memory.

    Raises:
        InputError: No image has two dyes.
    """
    dyes_by_image = [dyes for dyes in map(find_dyes, images) if dyes is not None]
    if not dyes_by_image:
        raise InputError(
            "training.normalisation is macenko, and no training image shows two dyes: less than a hundredth of each is "
            "stained, or it has one colour. Set it to reinhard or none. Nothing was trained."
        )
    azure, eosin, most = (np.mean(values, axis=0) for values in zip(*dyes_by_image, strict=True))
    azure, eosin = (dye / np.linalg.norm(dye) for dye in (azure, eosin))
    return MacenkoTarget(tuple(azure.tolist()), tuple(eosin.tolist()), tuple(most.tolist()))


def normalise_dyes(image: np.ndarray, target: MacenkoTarget) -> np.ndarray:
    """Match an image's dyes in colour and strength to a target's.

    Parts that neither dye explains are dropped, as in the paper. The amount of a dye is scaled by ``MOST_GAIN`` at
    most.

    Args:
        image: RGB in 0-255, ``[height, width, 3]``. An image in which no two dyes are found, such as a blank or a grey
            one, is returned unchanged.
        target: The target fitted to the images that a classifier learned from.

    Returns:
        ``float64 [height, width, 3]``, clipped to 0-255.
    """
    dyes = find_dyes(image)
    if dyes is None:
        return np.asarray(image, float)
    amounts = measure_densities(image) @ np.linalg.pinv(np.array([dyes.azure, dyes.eosin]))
    gain = np.asarray(target.most) / np.maximum(dyes.most, 1e-6)
    densities = amounts * np.clip(gain, 1 / MOST_GAIN, MOST_GAIN) @ np.array([target.azure, target.eosin])
    return np.clip(255 * 10**-densities, 0, 255)


# The functions that fit each method's target, by the method's name in ``training.normalisation``.
FITTED_BY: Mapping[str, Callable[[Iterable[np.ndarray]], StainTarget | MacenkoTarget]]
FITTED_BY = {"reinhard": fit_target, "macenko": fit_dyes}


def restore_target(facts: Mapping[str, Any]) -> StainTarget | MacenkoTarget:
    """Restore a target of either method from its fields."""
    return MacenkoTarget(**facts) if "azure" in facts else StainTarget(**facts)
