"""Processing of many images, on all cores if there are enough of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

# Number of images that a core takes at a time, and up to which starting other processes is not worthwhile.
_PART = 16
FEW = 2 * _PART
_PARTS_AT_ONCE = 16  # parts whose results are yielded together

R = TypeVar("R")


def spread(work: Callable[[np.ndarray], R], pixels: np.ndarray, rows: Mapping[bytes, int]) -> Iterator[dict[bytes, R]]:
    """Process each of many images; at most twice as many parts as cores are in memory at once.

    Args:
        work: A function of one image, which is sent to other processes.
        pixels: ``uint8 [n, height, width, 3]``, which may be on disk.
        rows: The row in ``pixels`` of each image, by a unique key.

    Yields:
        The results of some images, by their keys, as soon as they are available.
    """
    if len(rows) <= FEW:
        if rows:
            yield {key: work(pixels[row]) for key, row in rows.items()}
        return
    from joblib import Parallel, cpu_count, delayed

    keys = list(rows)
    parts = [keys[start : start + _PART] for start in range(0, len(keys), _PART)]
    images = (pixels[[rows[key] for key in part]] for part in parts)
    in_order = {"return_as": "generator", "pre_dispatch": "2*n_jobs", "batch_size": 1, "max_nbytes": None}
    results = Parallel(n_jobs=cpu_count(), **in_order)(delayed(_do_part)(work, part) for part in images)
    group: dict[bytes, R] = {}
    for number, (part, done) in enumerate(zip(parts, results, strict=True), start=1):
        group |= dict(zip(part, done, strict=True))
        if number % _PARTS_AT_ONCE == 0 or number == len(parts):
            yield group
            group = {}


def _do_part(work: Callable[[np.ndarray], R], images: Sequence[np.ndarray]) -> list[R]:
    return [work(image) for image in images]
