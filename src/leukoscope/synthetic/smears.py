"""Draw blood smears whose classes differ in the shape of their cells, and write them as files."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from leukoscope.core.drawn import MARK
from leukoscope.core.errors import InputError
from leukoscope.synthetic.cells import CLASSES, FIELD, Field, Leukocyte, arrange_field
from leukoscope.synthetic.stains import Stain, photograph

_COARSE = 2.2
_FINE = 0.7
_REACH = 1.35  # maximum distance of an outline from its centre, in radii
_BLUR = 4.0  # exceeds the distance over which the lens spreads light, in field units
_SMALLEST = 32
_MOST_THREADS = 4  # they share the interpreter's lock, and more threads wait longer for it


class DrawnSmear(NamedTuple):
    """A drawn field of view, and where its leukocytes are.

    Attributes:
        image: RGB image [size, size, 3], uint8.
        cells: The leukocyte number of each pixel, starting at 1, or 0 [size, size], int32. Where two overlap, a pixel
            belongs to the one in which it lies deeper. Numbers of leukocytes outside the image are missing.
        nuclei: The leukocyte number of each pixel of a nucleus, in the same format.
        kinds: The kind of each leukocyte, in the order of their numbers, including those outside.
    """

    image: np.ndarray
    cells: np.ndarray
    nuclei: np.ndarray
    kinds: tuple[Leukocyte, ...]


def draw_smear(
    label: str,
    rng: np.random.Generator,
    size: int = 224,
    stain: Stain | None = None,
    magnification: float = 1.0,
) -> np.ndarray:
    """Draw one field of view of a blood smear.

    The class only affects the white cells: size and shape of the nuclei, texture of the chromatin,
    nucleus-to-cytoplasm ratio, density. Every size shows the same cells in the same places.

    Args:
        label: One of :data:`CLASSES`.
        rng: Source of randomness.
        size: Width and height in pixels.
        stain: The look of the dyes; if None, drawn from ``rng`` independently of the class.
        magnification: Size of the cells relative to the published smears, 1 or more: only a part of the field is then
            shown, including a white cell that is typical of the class.

    Returns:
        RGB image [size, size, 3], uint8.

    Raises:
        InputError: No such class, or a size under 32 pixels.
    """
    image, field, whole = _draw(label, rng, size, stain, magnification)
    return _cut_out(image, size, field, whole)


def draw_smear_with_cells(
    label: str,
    rng: np.random.Generator,
    size: int = 224,
    stain: Stain | None = None,
    magnification: float = 1.0,
    touching: float = 0.0,
    others: float | None = None,
) -> DrawnSmear:
    """Draw the same as ``draw_smear``, and return which leukocyte each pixel belongs to.

    Args:
        label: As in ``draw_smear``, like the next four.
        rng: Source of randomness.
        size: Width and height in pixels.
        stain: The look of the dyes.
        magnification: Size of the cells relative to the published smears.
        touching: Share of the leukocytes that are placed against another, from 0 to 1; with 0 they lie as in
            ``draw_smear``.
        others: Share of normal cells among a malignant field's leukocytes, as in ``arrange_field``; if None, as in
            ``draw_smear``.

    Raises:
        InputError: As in ``draw_smear``.
    """
    image, field, whole = _draw(label, rng, size, stain, magnification, touching, others)
    nuclei = _number_discs(field.nuclei, field.owners, whole)
    cells = _number_discs(field.cytoplasm, np.arange(len(field.cytoplasm)), whole)
    cells = np.where(nuclei > 0, nuclei, cells)
    image, cells, nuclei = (_cut_out(layer, size, field, whole) for layer in (image, cells, nuclei))
    return DrawnSmear(image, cells, nuclei, field.kinds)


def _draw(
    label: str,
    rng: np.random.Generator,
    size: int,
    stain: Stain | None,
    magnification: float,
    touching: float = 0.0,
    others: float | None = None,
) -> tuple[np.ndarray, Field, int]:
    """Draw a field of view; return its image, its content, and its side in pixels; exact only where it is cut out."""
    _check([label], size)
    stain = stain or Stain.draw(rng)
    field = arrange_field(label, rng, touching, others)
    whole = max(size, round(size * magnification))
    return photograph(_spread_dyes(_select_shown(field, size, whole), whole, rng), stain, rng), field, whole


def write_smears(
    folder: Path | str,
    counts: Mapping[str, int],
    size: int,
    seed: int,
    confounded: bool = False,
    magnification: float = 1.0,
    workers: int | None = None,
) -> None:
    """Write ``folder/Original/<Class>/smear-<class>-0001.jpg`` and so on, with a progress bar on a terminal.

    Each file says in a comment that it was drawn. An image depends only on the seed, its class and its number, so
    more images, other classes or other workers do not change it.

    Args:
        folder: Where to write; created if missing.
        counts: Number of images of each class.
        size: Width and height in pixels.
        seed: Source of all randomness.
        confounded: Whether the stain reveals the class, to test the checks that should notice it.
        magnification: Size of the cells relative to the published smears, 1 or more.
        workers: Drawing threads; if None, one per core, but only a few.

    Raises:
        InputError: No such class, or a size under 32 pixels.
    """
    _check(counts, size)
    root = Path(folder, "Original")
    for label in counts:
        (root / label).mkdir(parents=True, exist_ok=True)

    def write(job: tuple[str, int]) -> None:
        label, number = job
        rank = CLASSES.index(label)
        rng = np.random.default_rng([seed, rank, number])
        stain = Stain.draw(rng, look=rank / (len(CLASSES) - 1)) if confounded else None
        image = Image.fromarray(draw_smear(label, rng, size, stain, magnification))
        image.save(root / label / f"smear-{label.lower()}-{number:04d}.jpg", quality=95, comment=MARK)

    jobs = [(label, number) for label, count in counts.items() for number in range(1, count + 1)]
    workers = workers or min(os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(workers) as pool:
        list(tqdm(pool.map(write, jobs), "Drawing smears", len(jobs), unit="image", disable=None))


def _check(labels: Iterable[str], size: int) -> None:
    unknown = [label for label in labels if label not in CLASSES]
    if unknown:
        raise InputError(
            f"Smears of {', '.join(map(repr, unknown))} cannot be drawn: choose among {', '.join(CLASSES)}."
        )
    if size < _SMALLEST:
        raise InputError(f"A smear of {size} pixels cannot be drawn: choose a size of {_SMALLEST} or more.")


def _number_discs(discs: np.ndarray, owners: np.ndarray, size: int) -> np.ndarray:
    """Return for each pixel the owner, from 1 on, of the disc it lies deepest in; 0 outside [size, size], int32."""
    numbers = np.zeros(size * size, np.int32)
    deepest = np.zeros(size * size, np.float32)
    for place, coverage, depth, owner in zip(*_stamp(discs, size), owners, strict=True):
        here = (coverage >= 0.5) & (depth > deepest[place])
        numbers[place[here]] = owner + 1
        deepest[place[here]] = depth[here]
    return numbers.reshape(size, size)


def _cut_out(layer: np.ndarray, size: int, field: Field, whole: int) -> np.ndarray:
    """Cut out a square with the field's first white cell as close to its centre as the borders allow."""
    row, column = _find_corner(size, field, whole)
    return layer[row : row + size, column : column + size]


def _find_corner(size: int, field: Field, whole: int) -> tuple[int, int]:
    place = field.cytoplasm["centre"][0] * whole / FIELD
    row, column = (int(np.clip(at - size / 2, 0, whole - size)) for at in (place.imag, place.real))
    return row, column


def _select_shown(field: Field, size: int, whole: int) -> Field:
    """Remove the discs that are invisible where ``_cut_out`` cuts: nearly all of a large field.

    Returns:
        The field to be drawn; its ``owners`` and ``kinds`` are still those of the whole field.
    """
    row, column = _find_corner(size, field, whole)
    middle = column + size / 2 + 1j * (row + size / 2)

    def select(discs: np.ndarray) -> np.ndarray:
        offsets = discs["centre"] * whole / FIELD - middle
        reach = size / 2 + (_REACH * discs["radius"] + _BLUR) * whole / FIELD + 2
        return discs[(np.abs(offsets.real) < reach) & (np.abs(offsets.imag) < reach)]

    return replace(
        field,
        erythrocytes=select(field.erythrocytes),
        smudges=select(field.smudges),
        platelets=select(field.platelets),
        cytoplasm=select(field.cytoplasm),
        nuclei=select(field.nuclei),
        nucleoli=select(field.nucleoli),
    )


def _spread_dyes(field: Field, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the amounts of haemoglobin, cytoplasmic and nuclear dye in each pixel [size, size, 3]."""
    coarse = np.tanh(1.5 * _texture(size, _COARSE, rng)).ravel()
    fine = _texture(size, _FINE, rng).ravel()

    def highest(discs: np.ndarray) -> np.ndarray:
        places, coverage, _ = _stamp(discs, size)
        texture = 1 + _each(discs["clumping"]) * coarse[places] + _each(discs["grain"]) * fine[places]
        plane = np.zeros(size * size, np.float32)
        np.maximum.at(plane, places, coverage * _each(discs["amount"]) * texture)
        return plane.reshape(size, size)

    red = _haemoglobin(field.erythrocytes, size)
    nuclei = highest(field.nuclei)
    cytoplasm = highest(field.cytoplasm)
    free = 1 - np.minimum(1, cytoplasm + nuclei)  # not covered by white cells, which hide red cells and debris
    loose = highest(field.smudges) + highest(field.platelets)
    nuclear = nuclei * (1 - highest(field.nucleoli)) + loose * free
    return np.stack([red * free, cytoplasm * (1 - np.minimum(1, nuclei)), nuclear], axis=-1)


def _haemoglobin(discs: np.ndarray, size: int) -> np.ndarray:
    """Return the haemoglobin of red cells [size, size], pale in the middle, and darker where they overlap."""
    places, coverage, depth = _stamp(discs, size)
    hollow = 1 - _each(discs["pallor"]) * np.exp(-(((1 - depth) / 0.5) ** 2))
    amounts = coverage * _each(discs["amount"]) * hollow
    total = np.bincount(places.ravel(), amounts.ravel(), size * size).reshape(size, size)
    return np.tanh(0.6 * total.astype(np.float32)) / 0.6


def _stamp(discs: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rasterise discs, each on its own square of pixels.

    Returns:
        Three arrays [n, side, side]: indices of the pixels in the flattened image; the share of each
        covered by the disc, 0 outside the image; and depth in the disc, 1 at its centre, 0 on its outline.
    """
    centres = discs["centre"] * size / FIELD
    radii = discs["radius"] * size / FIELD
    reach = int(np.ceil(_REACH * radii.max(initial=0))) + 1
    steps = np.arange(-reach, reach + 1)
    columns = (centres.real.astype(int)[:, None] + steps)[:, None, :]
    rows = (centres.imag.astype(int)[:, None] + steps)[:, :, None]
    offsets = ((columns + 0.5) + 1j * (rows + 0.5)).astype(np.complex64) - _each(centres)
    # Positions are complex numbers: a direction is a unit number, and its powers are waves around the outline.
    distances = np.abs(offsets) + np.float32(1e-6)
    outlines = _each(radii) * _outline(offsets / distances, discs["waves"])
    notches = np.abs(offsets - _each(discs["dent"] * radii)) - _each(discs["notch"] * radii)
    inside = np.minimum(outlines - distances, notches)  # signed: fractions of a pixel give the antialiasing
    framed = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    places = rows.clip(0, size - 1) * size + columns.clip(0, size - 1)
    return places, framed * np.clip(inside + 0.5, 0, 1), 1 - distances / outlines


def _outline(directions: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Return the radius of a wavy outline, in mean radii [n, side, side], in the directions of unit complex numbers."""
    outline = np.ones(directions.shape, np.float32)
    power = directions
    for wave in waves.T:
        power = power * directions
        outline += (_each(wave) * power).real
    return outline.clip(0.5, _REACH)


def _texture(size: int, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Return smooth noise [size, size] of mean 0 and deviation 1, with the grain in field units."""
    noise = gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), grain * size / FIELD)
    return noise / noise.std()


def _each(values: np.ndarray) -> np.ndarray:
    """Broadcast one value per disc [n] to the discs' pixels [n, side, side]."""
    return values[:, None, None]
