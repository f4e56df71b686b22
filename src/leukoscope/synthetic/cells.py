"""The content of a field of view: which cells, where, and of what shape.

Lengths are in field units: the field is 224 units wide and high, like the pixels of the real photographs.
Positions are complex numbers, column + row * 1j.
"""

from dataclasses import dataclass

import numpy as np

FIELD = 224.0
_MOST_LEUKOCYTES = 60
_HARMONICS = np.arange(2, 6)
_TOUCH = 0.95  # distance between the centres of touching discs, relative to the sum of their radii

# A round object with a wavy outline; features that are zero are absent.
DISC = np.dtype(
    [
        ("centre", np.complex64),
        ("radius", np.float32),
        ("waves", np.complex64, len(_HARMONICS)),  # amplitudes of the outline's harmonics 2, 3, ..., in radii
        ("amount", np.float32),  # of dye
        ("pallor", np.float32),  # the part of the dye missing in the middle
        ("dent", np.complex64),  # from the centre to the middle of a round notch, in radii
        ("notch", np.float32),  # radius of the notch, in radii
        ("clumping", np.float32),  # contrast of the coarse texture
        ("grain", np.float32),  # contrast of the fine texture
    ]
)


@dataclass(frozen=True)
class Leukocyte:
    """A kind of white cell.

    Attributes:
        name: Its name.
        radius: Mean radius of the nucleus.
        share: The nucleus's share of the cell's area (nucleus-to-cytoplasm ratio), from 0 to 1.
        clumping: Contrast of the coarse chromatin.
        grain: Contrast of the fine chromatin.
        lobes: Minimum and maximum number of lobes of the nucleus.
        dent: Radius of the nucleus's indentation, in radii of the nucleus.
        nucleoli: Maximum number of nucleoli.
        roughness: How far the outline of the nucleus deviates from a circle.
    """

    name: str
    radius: float
    share: float
    clumping: float = 0.1
    grain: float = 0.08
    lobes: tuple[int, int] = (1, 1)
    dent: float = 0.0
    nucleoli: int = 0
    roughness: float = 0.05

    @property
    def is_blast(self) -> bool:
        """Whether it is malignant."""
        return self.name.endswith(" blast")


@dataclass(frozen=True)
class Population:
    """The white cells of a class: the kinds with their frequencies, and how much of the field they fill.

    Attributes:
        kinds: Kinds of white cells; the first occurs in every field.
        frequencies: Frequency of each kind; they sum to 1.
        burden: Median of the nuclei's total area, as a share of the field's.
    """

    kinds: tuple[Leukocyte, ...]
    frequencies: tuple[float, ...]
    burden: float

    def mix_in(self, others: "Population", share: float) -> "Population":
        """Return a population with a share of other cells, which replace all but the first kind."""
        frequencies = (1 - share, *(share * frequency for frequency in others.frequencies))
        return Population((self.kinds[0], *others.kinds), frequencies, self.burden)


_HEMATOGONE = Leukocyte("hematogone", radius=6.2, share=0.85, roughness=0.03)
_LYMPHOCYTE = Leukocyte("lymphocyte", radius=7.2, share=0.6, clumping=0.2)
_NEUTROPHIL = Leukocyte("neutrophil", radius=8.0, share=0.38, clumping=0.15, lobes=(2, 4))
_MONOCYTE = Leukocyte("monocyte", radius=9.5, share=0.5, dent=0.75)
_EARLY_BLAST = Leukocyte("early blast", radius=9.4, share=0.9, clumping=0.04, grain=0.08)
_PRE_BLAST = Leukocyte("pre blast", radius=12.6, share=0.82, clumping=0.42, grain=0.1, roughness=0.08)
_PRO_BLAST = Leukocyte("pro blast", radius=12.0, share=0.48, clumping=0.08, dent=0.75, nucleoli=2, roughness=0.07)

POPULATIONS = {
    "Benign": Population((_HEMATOGONE, _LYMPHOCYTE, _NEUTROPHIL, _MONOCYTE), (0.5, 0.15, 0.25, 0.1), 0.05),
    "Early": Population((_EARLY_BLAST, _LYMPHOCYTE, _NEUTROPHIL), (0.9, 0.05, 0.05), 0.06),
    "Pre": Population((_PRE_BLAST, _LYMPHOCYTE, _NEUTROPHIL), (0.9, 0.05, 0.05), 0.075),
    "Pro": Population((_PRO_BLAST, _LYMPHOCYTE, _NEUTROPHIL), (0.9, 0.05, 0.05), 0.065),
}
CLASSES = tuple(POPULATIONS)


@dataclass(frozen=True)
class Field:
    """The content of one field of view: arrays of :data:`DISC`, from the lowest layer to the highest.

    Each disc of ``cytoplasm`` is a leukocyte. ``owners`` holds, for each disc of ``nuclei``, the number of its
    leukocyte, starting at 0, and ``kinds`` the kind of each leukocyte.
    """

    erythrocytes: np.ndarray
    smudges: np.ndarray
    platelets: np.ndarray
    cytoplasm: np.ndarray
    nuclei: np.ndarray
    nucleoli: np.ndarray
    owners: np.ndarray
    kinds: tuple[Leukocyte, ...]


def arrange_field(label: str, rng: np.random.Generator, touching: float = 0.0, others: float | None = None) -> Field:
    """Choose the cells of a field of view and their positions.

    Args:
        label: One of :data:`CLASSES`.
        rng: Source of randomness.
        touching: Share of the leukocytes, apart from the first, that are placed against another, from 0 to 1.
        others: Share of a malignant field's leukocytes, apart from the first, that are of the kinds and with the
            frequencies of Benign fields, from 0 to 1; by default few, as in ``POPULATIONS``.

    Returns:
        The field, which does not depend on the size of the drawn image.
    """
    population = POPULATIONS[label]
    if others is not None and population.kinds[0].is_blast:
        population = population.mix_in(POPULATIONS["Benign"], others)
    kinds, radii = _choose_leukocytes(population, rng)
    cell_radii = radii / np.sqrt([kind.share for kind in kinds])
    centres = _spread_out(cell_radii, rng)
    if touching:
        _push_together(centres, cell_radii, touching, rng)
    cells = zip(kinds, centres, radii, cell_radii, strict=True)
    smudges = _litter(rng.poisson(1.2), (11, 22), (0.12, 0.3), 0.2, rng)
    smudges["clumping"] = 0.6
    # The order matters: each step draws from the same source of randomness.
    erythrocytes = _arrange_erythrocytes(centres, cell_radii, rng)
    platelets = _litter(rng.poisson(rng.uniform(0, 12)), (1, 3), (0.2, 0.6), 0.15, rng)
    cytoplasm = _discs(centres, cell_radii, rng.uniform(0.35, 0.9, len(centres)), 0.06, rng)
    nuclei = [_nucleus(*cell, rng) for cell in cells]
    return Field(
        erythrocytes=erythrocytes,
        smudges=smudges,
        platelets=platelets,
        cytoplasm=cytoplasm,
        nuclei=np.concatenate(nuclei),
        nucleoli=_nucleoli(kinds, centres, radii, rng),
        owners=np.repeat(np.arange(len(nuclei)), [len(lobes) for lobes in nuclei]),
        kinds=tuple(kinds),
    )


def _choose_leukocytes(population: Population, rng: np.random.Generator) -> tuple[list[Leukocyte], np.ndarray]:
    """Draw white cells until their nuclei fill the field's share; return kinds and radii of the nuclei."""
    chosen = rng.choice(len(population.kinds), _MOST_LEUKOCYTES, p=population.frequencies)
    chosen[0] = 0
    kinds = [population.kinds[i] for i in chosen]
    radii = np.array([kind.radius for kind in kinds]) * rng.normal(1, 0.07, _MOST_LEUKOCYTES).clip(0.8, 1.2)
    burden = population.burden * rng.lognormal(0, 0.45) * FIELD**2
    # Add cells until their nuclei cover the class's share of the field, which varies as widely as between patients.
    count = 1 + np.searchsorted(np.cumsum(np.pi * radii**2), burden)
    return kinds[:count], radii[:count]


def _spread_out(radii: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Place discs one by one, each at the freest of a few random places; return centres [n]."""
    centres = np.empty(len(radii), complex)
    for i, radius in enumerate(radii):
        candidates = _anywhere(10, rng)
        # Mitchell's best candidate: the freest of a few random places.
        gaps = np.abs(candidates[:, None] - centres[:i]) - radii[:i] - radius
        centres[i] = candidates[gaps.min(axis=1, initial=3).argmax()]
    return centres


def _push_together(centres: np.ndarray, radii: np.ndarray, part: float, rng: np.random.Generator) -> None:
    """Move some discs so that each just overlaps an earlier one and no other, if there is room."""
    for i in range(1, len(radii)):
        if rng.random() >= part:
            continue
        neighbour = rng.integers(i)
        strides = _TOUCH * (radii[i] + radii[neighbour]) * np.exp(2j * np.pi * rng.random(20))
        candidates = centres[neighbour] + strides
        gaps = np.abs(candidates[:, None] - centres) - radii - radii[i]
        gaps[:, [i, neighbour]] = 0
        places = np.stack([candidates.real, candidates.imag], axis=1)
        inside = ((places > radii[i]) & (places < FIELD - radii[i])).all(axis=1)
        free = candidates[(gaps.min(axis=1) >= 0) & inside]
        centres[i] = free[0] if len(free) else centres[i]


def _arrange_erythrocytes(taken: np.ndarray, radii: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Arrange red cells around white cells with the given centres and radii."""
    radius = rng.uniform(6.5, 8)
    centres = _chain_up(radius, rng)
    covered = np.abs(centres[:, None] - taken) < radii + 0.3 * radius
    centres = centres[~covered.any(axis=1)]
    sizes = radius * rng.normal(1, 0.08, len(centres)).clip(0.7, 1.3)
    amounts = rng.normal(1, 0.12, len(centres)).clip(0.6, 1.4)
    cells = _discs(centres, sizes, amounts, rng.uniform(0.02, 0.07), rng)
    cells["pallor"] = (rng.uniform(0.2, 0.9) + rng.normal(0, 0.15, len(cells))).clip(0, 0.95)
    return cells


def _chain_up(radius: float, rng: np.random.Generator) -> np.ndarray:
    """Return positions of red cells, single or in winding chains (rouleaux), with some space between them."""
    length = rng.choice([1, 1, 2, 3, 4, 7])
    chains = rng.integers(120, 330) // length
    shape = (chains, length)
    # A random walk of the heading, with strides shorter than a diameter: cells of a chain overlap like coins.
    headings = rng.uniform(0, 2 * np.pi, (chains, 1)) + rng.normal(0, 0.4, shape).cumsum(axis=1)
    strides = radius * rng.uniform(0.9, 1.9) * rng.uniform(0.7, 1.3, shape)
    places = _anywhere(chains, rng)[:, None] + (strides * np.exp(1j * headings)).cumsum(axis=1)
    places = places.ravel()
    chain = np.repeat(np.arange(chains), length)
    near = np.abs(places[:, None] - places) < radius * rng.uniform(0.5, 1.8)
    crowded = near & (chain[:, None] > chain)
    return places[~crowded.any(axis=1)]


def _nucleus(
    kind: Leukocyte, centre: complex, radius: float, cell_radius: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the discs that form one nucleus, one per lobe."""
    lobes = rng.integers(*kind.lobes, endpoint=True)
    heading = np.exp(1j * rng.uniform(0, 2 * np.pi))
    if lobes == 1:
        centres = np.array([centre + 0.7 * (cell_radius - radius) * heading])
    else:
        centres = centre + 0.8 * radius * heading * np.exp(1j * rng.uniform(1.4, 2.2) * np.arange(lobes))
    discs = _discs(centres, np.full(lobes, radius / np.sqrt(lobes)), rng.uniform(0.75, 1.2), kind.roughness, rng)
    discs["clumping"] = kind.clumping
    discs["grain"] = kind.grain
    discs["notch"] = kind.dent * rng.uniform(0.7, 1.1)
    discs["dent"] = -heading * 1.3
    return discs


def _nucleoli(kinds: list[Leukocyte], centres: np.ndarray, radii: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    counts = rng.integers(0, [kind.nucleoli for kind in kinds], endpoint=True)
    centres = np.repeat(centres, counts)
    radii = np.repeat(radii, counts)
    shifts = 0.5 * np.sqrt(rng.random(len(radii))) * np.exp(2j * np.pi * rng.random(len(radii)))
    sizes = radii * rng.uniform(0.18, 0.26, len(radii))
    return _discs(centres + radii * shifts, sizes, rng.uniform(0.3, 0.5, len(radii)), 0.05, rng)


def _litter(
    count: int,
    radii: tuple[float, float],
    amounts: tuple[float, float],
    roughness: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return discs at random positions, with radii and amounts between two bounds."""
    return _discs(_anywhere(count, rng), rng.uniform(*radii, count), rng.uniform(*amounts, count), roughness, rng)


def _discs(
    centres: np.ndarray,
    radii: np.ndarray,
    amounts: np.ndarray | float,
    roughness: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return discs with random outlines; higher harmonics are fainter."""
    discs = np.zeros(len(centres), DISC)
    # Amplitudes fall with the square of the harmonic, so outlines are smooth.
    waves = rng.normal(size=(2, len(centres), len(_HARMONICS))) * roughness * (2 / _HARMONICS) ** 2
    discs["centre"], discs["radius"], discs["amount"] = centres, radii, amounts
    discs["waves"] = waves[0] + 1j * waves[1]
    return discs


def _anywhere(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return random positions in the field [count]."""
    columns, rows = rng.uniform(0, FIELD, (2, count))
    return columns + 1j * rows
