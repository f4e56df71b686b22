"""Group images that belong together and must not straddle two splits."""

import fnmatch
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.features.colour import cluster_appearance, count_colours
from leukoscope.images.files import compose, show_name
from leukoscope.images.manifest import ACCEPTED
from leukoscope.images.packed import PackedImages

# Description of the unit that never straddles two splits.
UNITS = {
    "duplicate": "the image with its identical and near-identical copies; patients are not taken into account",
    "appearance": "the appearance cluster, fields of nearly the same colours, with copies; patients are not taken into "
    "account",
    "table": "the group that the user's table gives the image, with copies",
    "name": "the group that the file's name has, such as the subject in C-NMC 2019, with copies",
    "series": "the contiguous run of each class's file numbers, with its neighbours in no split, nor copies that would "
    "straddle; patients are not taken into account",
}


def select_accepted(manifest: pd.DataFrame) -> pd.DataFrame:
    """Select the accepted images: ``image_id, label, group, sha256``, where ``group`` is the group of duplicates."""
    accepted = manifest["status"] == ACCEPTED
    return manifest.loc[accepted, ["image_id", "label", "group", "sha256"]].reset_index(drop=True)


def group_by_appearance(images: pd.DataFrame, smears: PackedImages, clusters: int, seed: int) -> pd.Series:
    """Group images by appearance cluster, together with their duplicates.

    Args:
        images: ``image_id`` and the ``group`` of duplicates, one row per image.
        smears: The packed images.
        clusters: The number of appearance clusters; clusters that share duplicates are merged.
        seed: Seed of the clustering.

    Raises:
        InputError: There are more clusters than images.
    """
    if clusters > len(images):
        raise InputError(
            f"splitting.appearance_clusters is {clusters}, and there are {len(images)} accepted images. Expected fewer "
            f"clusters than these."
        )
    numbers = cluster_appearance(count_colours(smears.pixels, smears.rows(images["image_id"])), clusters, seed)
    # Group names are part of the splits that identify a training: changing them would retrain every model.
    names = pd.Series([f"look-{number:04}" for number in numbers], index=images.index)
    return merge_groups(names, images["group"])


def group_by_table(images: pd.DataFrame, manifest: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    """Group images by patient or slide according to the user's table, together with their duplicates.

    Args:
        images: The accepted images with the ``group`` of duplicates.
        manifest: All images.
        table: Has a column ``group``, and ``image_id`` or ``pattern``.

    Raises:
        InputError: The table does not fit the images.
    """
    accepted = (manifest["status"] == ACCEPTED).to_numpy()
    return merge_groups(look_up_groups(manifest["image_id"], accepted, table), images["group"])


def group_by_name(images: pd.DataFrame, manifest: pd.DataFrame) -> pd.Series:
    """Group images by the subject (or similar unit) in their names, together with their duplicates.

    Args:
        images: The accepted images with the ``group`` of duplicates.
        manifest: All images, with the ``named_group`` of each.

    Raises:
        InputError: Some or all names contain no such group.
    """
    named = manifest.reindex(columns=["image_id", "named_group"]).set_index("image_id")["named_group"]
    groups = images["image_id"].map(named)
    if groups.isna().any():
        raise InputError(
            f"splitting.group_by is 'name', and the names of {groups.isna().sum():,} of the {len(images):,} accepted "
            f"images have no group, {show_name(images.loc[groups.isna(), 'image_id'].iat[0])} for one. Expected a "
            f"layout whose names have one, such as ingestion.layout=cnmc; or give a table (splitting.group_by=table)."
        )
    return merge_groups(groups.rename("group"), images["group"])


def merge_groups(first: pd.Series, second: pd.Series) -> pd.Series:
    """Merge two groupings of the same images, so that images grouped by either end up in one group.

    Args:
        first: The group name of each image.
        second: The group name of each image in the other grouping, with the same index.

    Returns:
        For each image, the name of one of the ``first`` groups that were merged.
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
        image_ids: All images found.
        accepted: Whether each image is accepted, boolean.
        table: Has a column ``group``, and ``image_id`` or ``pattern`` (a shell pattern of image ids). Names are
            compared in Unicode's composed form.

    Returns:
        The groups of the accepted images, in their order.

    Raises:
        InputError: A column is missing, an entry matches no image, or an accepted image has no group or several.
    """
    key = next((name for name in ("image_id", "pattern") if name in table), None)
    if key is None or "group" not in table:
        raise InputError(
            f"The table of groups has the columns {', '.join(map(str, table.columns))}; it needs group, and "
            f"image_id or pattern."
        )
    entries = table[[key, "group"]].fillna("").astype(str).map(compose)
    # A patient name with surrounding spaces means the same patient.
    entries = entries.assign(group=entries["group"].str.strip()).drop_duplicates()
    _refuse(entries.loc[entries["group"] == "", key], "row without a group", "rows without a group")
    matched = entries[entries[key].isin(image_ids)] if key == "image_id" else _match(entries, image_ids)
    unmatched = entries[key][~entries[key].isin(matched[key])]
    _refuse(unmatched, f"{key} entry that fits no image", f"{key} entries that fit no image")
    groups = matched.groupby("image_id")["group"]
    twice = groups.nunique().loc[lambda number: number > 1].index
    _refuse(twice, "image with more than one group", "images with more than one group")
    wanted = image_ids[accepted].reset_index(drop=True)
    result = wanted.map(groups.first())
    _refuse(wanted[result.isna()], "accepted image without a group", "accepted images without a group")
    return result


def _match(entries: pd.DataFrame, image_ids: pd.Series) -> pd.DataFrame:
    matches = [
        (image_id, group, pattern)
        for pattern, group in entries.itertuples(index=False)
        for image_id in _filter(image_ids, pattern)
    ]
    return pd.DataFrame(matches, columns=["image_id", "group", "pattern"], dtype=str)


def _filter(image_ids: pd.Series, pattern: str) -> list[str]:
    """Find the ids that match a pattern; if none does, match its brackets literally, as in folder names."""
    return fnmatch.filter(image_ids, pattern) or fnmatch.filter(image_ids, pattern.replace("[", "[[]"))


def _refuse(names: Iterable[str], singular: str, plural: str) -> None:
    names = list(names)
    if names:
        some = ", ".join(map(show_name, names[:3])) + (", ..." if len(names) > 3 else "")
        raise InputError(
            f"The table of groups has {count_of(len(names), singular, plural)}: {some}. Mend the table and run again."
        )
