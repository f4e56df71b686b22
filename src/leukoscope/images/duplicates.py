"""Find duplicate images: byte-identical files, and files that look alike."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from leukoscope.images.likeness import Likeness, View

_ALL = slice(None)
_TILE = 1024
# Number of pairs kept before the redundant ones, implied by other pairs, are dropped.
_MOST_PAIRS = 2**20


class Hashes(NamedTuple):
    """Perceptual hashes of the images to compare with each other.

    Attributes:
        positions: Positions of the images, ``int64 [n]``.
        packed: The hashes, ``uint8 [n, bytes]``.
        distance: Number of bits in which the hashes of similar images may differ.
    """

    positions: np.ndarray
    packed: np.ndarray
    distance: int


FindPairs = Callable[[Hashes], Iterable[np.ndarray]]


def group_duplicates(
    sha256: pd.Series, hashes: pd.Series, max_distance: int | None, view: View, find: FindPairs | None = None
) -> np.ndarray:
    """Group images that are identical or look alike, directly or through other images.

    Hashes preselect pairs and pixels decide, since on a plain background few bits of a hash are informative.

    Args:
        sha256: One digest per image; equal digests are identical files.
        hashes: One perceptual hash per image, as hexadecimal digits, all of the same length.
        max_distance: Bits in which the hashes of similar images may differ; None: only identical files count.
        view: Returns the pixels of an image, ``uint8 [height, width, 3]``, by its position.
        find: Finds the pairs that look alike, ``int64 [2, m]`` at a time; ``None``: search in this process.

    Returns:
        ``int64 [n]``: for each image, the position of the first image of its group.
    """
    count = len(sha256)
    if not count:
        return np.empty(0, np.int64)
    kept = [_link_equal(sha256)]
    number = 0
    if max_distance is not None:
        positions = np.unique(_first_equal(sha256))
        packed = np.frombuffer(bytes.fromhex("".join(hashes.iloc[positions])), np.uint8).reshape(len(positions), -1)
        hashes = Hashes(positions, packed, max_distance)
        for pairs in find(hashes) if find else find_pairs(hashes, Likeness(view)):
            kept.append(pairs)
            number += pairs.shape[1]
            if number > _MOST_PAIRS:
                kept = [thin(np.concatenate(kept, axis=1))]
                number = 0
    return _first_equal(_connect(np.concatenate(kept, axis=1), count))


def thin(pairs: np.ndarray) -> np.ndarray:
    """Reduce pairs to a set that connects the same images, with no more pairs than images.

    Args:
        pairs: ``int64 [2, m]``.
    """
    numbers, codes = np.unique(pairs, return_inverse=True)
    return np.stack([numbers[_first_equal(_connect(codes.reshape(pairs.shape), len(numbers)))], numbers])


def _connect(pairs: np.ndarray, count: int) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = pairs
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _first_equal(values: pd.Series | np.ndarray) -> np.ndarray:
    codes = pd.factorize(values)[0]
    # Codes are numbered in order of appearance, so the n-th new value is the first with code n.
    return np.unique(codes, return_index=True)[1][codes]


def _link_equal(values: pd.Series) -> np.ndarray:
    return np.stack([_first_equal(values), np.arange(len(values))])


def find_pairs(
    hashes: Hashes, likeness: Likeness, tops: slice = _ALL, starts: slice = _ALL, tile: int | None = None
) -> Iterator[np.ndarray]:
    """Yield pairs of positions whose hashes differ in few bits and whose pixels look alike.

    Args:
        hashes: The hashes of all images.
        likeness: Compares pixels.
        tops: The images to compare; begins at a tile boundary.
        starts: The images to compare them with, skipping earlier tiles; also begins at a tile boundary.
        tile: Number of images compared at a time.

    Yields:
        The pairs of a tile, ``int64 [2, m]``.
    """
    positions, packed, distance = hashes
    tile = tile or _TILE
    # The dot product of two hashes of +1 and -1 is their length minus twice their distance.
    least = 8 * packed.shape[1] - 2 * distance
    for top in range(len(packed))[tops][::tile]:
        left = _to_signs(packed[top : top + tile])
        for start in range(len(packed))[starts][::tile]:
            if start < top:
                continue
            near = left @ _to_signs(packed[start : start + tile]).T >= least
            ours = positions[top : top + tile]
            others = positions[start : start + tile]
            rows, columns = np.nonzero(likeness.compare(ours, others, np.triu(near, 1) if start == top else near))
            yield np.stack([ours[rows], others[columns]])


def _to_signs(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1
