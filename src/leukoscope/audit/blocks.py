"""Cross-validation by blocks of file numbers, with an embargo on their neighbours."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from leukoscope.images.series import cut_blocks, find_barred

Fold = tuple[np.ndarray, np.ndarray]
_REACH = 0.25  # the largest shift of a boundary between repeats, as a share of a block


def repeat_folds(
    images: pd.DataFrame, files: pd.DataFrame, folds: int, repeats: int, embargo: int, seed: int
) -> tuple[list[list[Fold]], list[list[Fold]]] | None:
    """Divide images repeatedly into folds of one contiguous block per class, with shifted boundaries.

    For each repeat, blocks of different classes are paired at random to form a test set, since a number in one class
    is unrelated to the same number in another.

    Args:
        images: ``label`` and the ``group`` of duplicates, one row per image, all with a number.
        files: The same images, as returned by ``number_files``.
        folds: Number of blocks into which each class is cut.
        repeats: Number of repeats.
        embargo: Neighbours of a test block within this many file numbers are not trained on, nor are copies of test
            images.
        seed: Random seed; a seed gives the same blocks under each embargo.

    Returns:
        The folds of each repeat (training and test positions); and for each repeat control folds with the same test
        blocks and as many training images of each class, drawn from all outside the block, including neighbours.
        ``None`` if a class is missing from a block or has no image left to train on.
    """
    stricts = []
    controls = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        shift = _REACH * (2 * (repeat + 0.5) / repeats - 1)
        blocks = _pair(images["label"], cut_blocks(files, folds, shift), folds, rng)
        strict, control = zip(*_divide(images, files, blocks, embargo, rng), strict=True)
        if not all(_has_all(images["label"], part) for fold in strict for part in fold):
            return None
        stricts.append(list(strict))
        controls.append(list(control))
    return stricts, controls


def _pair(labels: pd.Series, blocks: pd.Series, folds: int, rng: np.random.Generator) -> pd.Series:
    """Renumber the blocks of each class at random."""
    orders = {label: rng.permutation(folds) for label in sorted(set(labels))}
    numbers = [orders[label][block] for label, block in zip(labels, blocks, strict=True)]
    return pd.Series(numbers, index=blocks.index)


def _divide(
    images: pd.DataFrame, files: pd.DataFrame, blocks: pd.Series, embargo: int, rng: np.random.Generator
) -> Iterator[tuple[Fold, Fold]]:
    for block in sorted(set(blocks)):
        tests = blocks == block
        outside = ~tests & ~find_barred(images, files, tests, 0)
        trains = ~tests & ~find_barred(images, files, tests, embargo)
        test = np.flatnonzero(tests)
        control = _draw_as_many(images["label"], outside, trains, rng)
        yield (np.flatnonzero(trains), test), (control, test)


def _draw_as_many(labels: pd.Series, pool: pd.Series, wanted: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Draw from a pool as many images of each class as in ``wanted``; return ``[n]`` positions."""
    counts = labels[wanted].value_counts()
    drawn = [rng.permutation(np.flatnonzero(pool & (labels == label)))[:count] for label, count in counts.items()]
    return np.sort(np.concatenate([np.empty(0, int), *drawn]))


def _has_all(labels: pd.Series, positions: np.ndarray) -> bool:
    return labels.iloc[positions].nunique() == labels.nunique()


def name_blocks(files: pd.DataFrame, folds: int) -> pd.Series:
    """Name the block of each image with unshifted boundaries: the groups that intervals resample."""
    return files["label"] + "/" + cut_blocks(files, folds).astype(str)
