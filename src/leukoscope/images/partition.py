"""Divide images into parts that each have their share of every class and never split a group."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from leukoscope.core.errors import InputError, shorten

SPLITS = ("train", "validation", "test")


def partition_groups(images: pd.DataFrame, shares: Mapping[str, float], seed: int) -> pd.Series:
    """Assign each image to a part, stratified by class, without splitting groups.

    First, each part gets one group of each class. The remaining groups are placed in order of decreasing size, each in
    a random part, with probability proportional to what the part still lacks of the group's classes. The shares are
    thus met as closely as whole groups allow, and large groups are as likely to be in a part as small ones.

    Args:
        images: One row per image, with ``label`` and ``group``.
        shares: The parts and their shares of the images; they need not add up to one.
        seed: Seed of the random draws.

    Returns:
        The part's name for each row, with the index of ``images``.

    Raises:
        InputError: A class has fewer groups than there are parts.
    """
    counts = pd.crosstab(images["group"], images["label"])
    _check_enough_groups(counts, list(shares))
    rng = np.random.default_rng(seed)
    sizes = counts.to_numpy()
    order = rng.permutation(len(counts))
    order = order[np.argsort(-sizes[order].sum(axis=1), kind="stable")]
    wanted = np.array(list(shares.values())) / sum(shares.values())
    missing = wanted[:, None] * sizes.sum(axis=0)[None, :]
    parts = _place_one_each(sizes, order, len(wanted))
    for part in range(len(wanted)):
        missing[part] -= sizes[parts == part].sum(axis=0)
    for position in order[parts[order] < 0]:
        group_sizes = sizes[position]
        chances = np.clip(missing, 0, None) @ group_sizes
        if not chances.any():  # every part has its share of these classes already
            chances = wanted
        parts[position] = chosen = rng.choice(len(wanted), p=chances / chances.sum())
        missing[chosen] -= group_sizes
    names = np.array(list(shares))[parts]
    return images["group"].map(dict(zip(counts.index, names, strict=True)))


def _place_one_each(sizes: np.ndarray, order: np.ndarray, parts: int) -> np.ndarray:
    """Place a group of each class in each part, from the small end of the order; other groups get part -1."""
    placed = np.full(len(sizes), -1)
    for part, label in product(range(parts), range(sizes.shape[1])):
        of_class = sizes[:, label] > 0
        if not (of_class & (placed == part)).any():
            free = [position for position in order[::-1] if of_class[position] and placed[position] < 0]
            if not free:
                raise InputError(
                    "The groups of images hold several classes in such a way that not every split can have a group of "
                    "each class. Group by less (splitting.group_by), or make fewer parts (splitting.fold)."
                )
            placed[free[0]] = part
    return placed


def count_straddling(splits: pd.Series, unit: pd.Series) -> int:
    """Count the units (groups, hashes) that are in more than one split.

    Args:
        splits: The split of each image.
        unit: The unit of each image, with the same index.
    """
    return int((splits.groupby(unit).nunique() > 1).sum())


def _check_enough_groups(counts: pd.DataFrame, parts: Sequence[str]) -> None:
    groups = (counts > 0).sum()
    for label, number in groups.items():
        if number < len(parts):
            raise InputError(
                f"Class {label} has {number} group(s) of images, too few for {len(parts)} parts "
                f"({shorten(', '.join(parts), 40)}), since a group is never divided. Add images, or group by less "
                f"(splitting.group_by), or make fewer parts (splitting.fold)."
            )
