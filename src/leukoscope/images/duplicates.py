"""Which images show the same: byte-identical files, and files that look alike."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from leukoscope.images.likeness import Likeness, View

_TILE = 1024


def group_duplicates(sha256: pd.Series, hashes: pd.Series, max_distance: int | None, view: View) -> np.ndarray:
    """Number the groups of images that are identical or look alike, directly or through others.

    Hashes find the pairs that may look alike, and pixels decide: on a plain background few bits of a hash say anything.

    Args:
        sha256: One digest an image; equal digests are identical files.
        hashes: One perceptual hash an image, as hexadecimal digits of one length.
        max_distance: Bits in which the hashes of images that look alike may differ; None: only identical files count.
        view: Gives the pixels of an image, ``uint8 [height, width, 3]``, by its position.

    Returns:
        ``int64 [n]``: for each image the position of the first image of its group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(sha256)
    if not count:
        return np.empty(0, np.int64)
    edges = [_link_equal(sha256)]
    if max_distance is not None:
        edges += _link_similar(sha256, hashes, max_distance, Likeness(view))
    left, right = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    components = connected_components(graph, directed=False)[1]
    return _first_equal(components)


def _first_equal(values: pd.Series | np.ndarray) -> np.ndarray:
    codes = pd.factorize(values)[0]
    # Codes count up in order of appearance, so that the n-th new one is the first of code n.
    return np.unique(codes, return_index=True)[1][codes]


def _link_equal(values: pd.Series) -> np.ndarray:
    return np.stack([_first_equal(values), np.arange(len(values))])


def _link_similar(sha256: pd.Series, hashes: pd.Series, max_distance: int, likeness: Likeness) -> Iterator[np.ndarray]:
    """Give pairs of positions whose hashes differ in ``max_distance`` bits at most, and whose pixels are alike."""
    positions = np.unique(_first_equal(sha256))
    packed = np.frombuffer(bytes.fromhex("".join(hashes.iloc[positions])), np.uint8).reshape(len(positions), -1)
    # The product of two hashes of +1 and -1 is their length less twice their distance.
    least = 8 * packed.shape[1] - 2 * max_distance
    for top in range(0, len(packed), _TILE):
        left = _to_signs(packed[top : top + _TILE])
        for start in range(top, len(packed), _TILE):
            near = left @ _to_signs(packed[start : start + _TILE]).T >= least
            ours, others = positions[top : top + _TILE], positions[start : start + _TILE]
            rows, columns = np.nonzero(likeness.compare(ours, others, np.triu(near, 1) if start == top else near))
            yield np.stack([ours[rows], others[columns]])


def _to_signs(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1
