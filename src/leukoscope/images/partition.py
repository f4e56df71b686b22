"""Dividing images into parts, so that each part has its share of every class and no group is in two."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from leukoscope.errors import InputError


def partition_groups(images: pd.DataFrame, shares: Mapping[str, float], seed: int) -> pd.Series:
    """Give each image a part, stratified by class, with whole groups only.

    First each part gets one group of each class. Of the others the largest come first, and each is drawn into a part
    with a chance in proportion to what that part still misses of what the group holds: so the shares are met as
    closely as whole groups allow, and large groups are as likely to be in a part as small ones.

    Args:
        images: One row an image, with ``label`` and ``group``.
        shares: The parts and their shares of the images; they need not add up to one.
        seed: For the drawing.

    Returns:
        The name of a part for each row, with the index of ``images``.

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
        held = sizes[position]
        chances = np.clip(missing, 0, None) @ held
        if not chances.any():  # every part has its share of these classes already
            chances = wanted
        parts[position] = chosen = rng.choice(len(wanted), p=chances / chances.sum())
        missing[chosen] -= held
    names = np.array(list(shares))[parts]
    return images["group"].map(dict(zip(counts.index, names, strict=True)))


def _place_one_each(sizes: np.ndarray, order: np.ndarray, parts: int) -> np.ndarray:
    """Give each part a group of each class, from the small end of the order; the others get part -1."""
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


def merge_groups(first: pd.Series, second: pd.Series) -> pd.Series:
    """Join two groupings of the same images: what either holds together stays together.

    Args:
        first: A group's name for each image.
        second: Another's, with the same index.

    Returns:
        The name of one of the joined ``first`` groups for each image.
    """
    left, left_names = pd.factorize(first)
    right, right_names = pd.factorize(second)
    size = len(left_names) + len(right_names)
    links = coo_array((np.ones(len(left)), (left, right + len(left_names))), shape=(size, size))
    _, joined = connected_components(links, directed=False)
    return first.groupby(joined[left]).transform("first")


def look_up_groups(image_ids: pd.Series, accepted: np.ndarray, table: pd.DataFrame) -> pd.Series:
    """Find each accepted image's group in a user's table.

    Args:
        image_ids: All images that were found.
        accepted: Which of them are accepted, boolean.
        table: A column ``group``, and ``image_id`` or ``pattern`` (a shell pattern of image ids).

    Returns:
        The group of each accepted image, in their order.

    Raises:
        InputError: A column is missing, an entry fits no image, or an accepted image has no group or two.
    """
    key = next((name for name in ("image_id", "pattern") if name in table), None)
    if key is None or "group" not in table:
        raise InputError(
            f"The table of groups has the columns {', '.join(map(str, table.columns))}; it needs group, and "
            f"image_id or pattern."
        )
    entries = table[[key, "group"]].astype(str).drop_duplicates()
    found = entries[entries[key].isin(image_ids)] if key == "image_id" else _match(entries, image_ids)
    _refuse(entries[key][~entries[key].isin(found[key])], f"{key} entries that fit no image")
    groups = found.groupby("image_id")["group"]
    _refuse(groups.nunique().loc[lambda number: number > 1].index, "images with more than one group")
    wanted = image_ids[accepted].reset_index(drop=True)
    result = wanted.map(groups.first())
    _refuse(wanted[result.isna()], "accepted images without a group")
    return result


def _match(entries: pd.DataFrame, image_ids: pd.Series) -> pd.DataFrame:
    matches = [
        (image_id, group, pattern)
        for pattern, group in entries.itertuples(index=False)
        for image_id in fnmatch.filter(image_ids, pattern)
    ]
    return pd.DataFrame(matches, columns=["image_id", "group", "pattern"], dtype=str)


def _refuse(names: Iterable[str], what: str) -> None:
    names = list(names)
    if names:
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise InputError(f"The table of groups has {len(names)} {what}: {some}. Mend the table and run again.")


def _check_enough_groups(counts: pd.DataFrame, parts: Sequence[str]) -> None:
    groups = (counts > 0).sum()
    for label, number in groups.items():
        if number < len(parts):
            raise InputError(
                f"Class {label} has {number} group(s) of images, too few for {len(parts)} parts "
                f"({', '.join(parts)}), since a group is never divided. Add images, or group by less "
                f"(splitting.group_by), or make fewer parts (splitting.fold)."
            )
