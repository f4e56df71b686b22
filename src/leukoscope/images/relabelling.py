"""Replace the labels from folders by the labels of a user's table."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError, shorten
from leukoscope.images.files import compose, show_name
from leukoscope.images.user_tables import LABELS

logger = logging.getLogger(__name__)

# The class given by an image's folder, where the table gives another class.
FOLDER_LABEL = "folder_label"
_SHOWN = 3


def relabel(records: pd.DataFrame, table: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Apply the labels of a table to images.

    Args:
        records: Records of all images: ``image_id, path, label, sha256`` and others.
        table: ``label`` and one of ``sha256`` (in upper or lower case; matches all identical files), ``image_id``,
            ``path`` and ``file_name`` (with or without its suffix).
        class_names: All classes.

    Returns:
        The records, with ``folder_label`` where the label has changed, else null.

    Raises:
        InputError: A class is unknown, an entry matches no image or several, or an image has two labels.
    """
    key = next(name for name in LABELS.keys if name in table)
    entries = table[[key, "label"]].map(lambda text: compose(str(text).strip())).drop_duplicates()
    if entries.empty:
        logger.warning("The table of labels has no row: all images keep the label of their folder")
    if key == "sha256":
        entries[key] = entries[key].str.lower()
    _refuse(entries.loc[entries["label"] == "", key], "row(s) without a label")
    _refuse(entries.loc[entries[key] == "", "label"], f"row(s) without {key}")
    known = {compose(name): name for name in class_names}
    unknown = sorted(set(entries["label"]) - set(known))
    _refuse(unknown, "label(s) of no class", f"The classes are {', '.join(map(show_name, class_names))}.")
    matched = _match(records, entries.assign(label=entries["label"].map(known)), key)
    example = "".join(f"Paths are as in the manifest: {show_name(path)}." for path in records["path"].head(1))
    unmatched = entries.loc[~entries[key].isin(matched[key]), key]
    _refuse(unmatched, f"{key}(s) of no image", example if key == "path" else "")
    if key != "sha256":
        fits = matched.drop_duplicates([key, "row"])[key].value_counts(sort=False)
        _refuse(fits.index[fits > 1], f"{key}(s) of several images", "Name these by image_id or path.")
    labels = matched.groupby("row")["label"]
    twice = labels.nunique().loc[lambda number: number > 1].index
    _refuse(records.loc[twice, "image_id"], "image(s) with two labels")
    table_labels = labels.first().reindex(records.index)
    differs = table_labels.notna() & (table_labels != records["label"])
    folder = records["label"].where(differs).astype("str")
    return records.assign(label=records["label"].where(~differs, table_labels), **{FOLDER_LABEL: folder})


def _match(records: pd.DataFrame, entries: pd.DataFrame, key: str) -> pd.DataFrame:
    """Match entries with images; return one row per pair, with the image's index as ``row``."""
    if key == "file_name":
        names = records["path"].map(lambda path: compose(PurePosixPath(path).name))
        stems = names.map(lambda name: PurePosixPath(name).stem)
        there = pd.concat([names, stems.where(stems != names).dropna()])
    else:
        there = records[key].dropna().map(compose)
    return entries.merge(there.rename(key).rename_axis("row").reset_index(), on=key)


def are_relabelled(manifest: pd.DataFrame) -> pd.Series:
    """Mark the images whose label differs from their folder's, boolean; in earlier versions there are none."""
    return manifest.reindex(columns=[FOLDER_LABEL])[FOLDER_LABEL].notna()


def _refuse(names: Iterable[str], what: str, remedy: str = "") -> None:
    """Raise an error if there are faulty entries; ``(s)`` in the description ``what`` marks the plural."""
    names = list(names)
    if names:
        some = ", ".join(shorten(show_name(name)) for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        remedy = f" {remedy}" if remedy else ""
        found = count_of(len(names), what.replace("(s)", ""), what.replace("(s)", "s"))
        raise InputError(f"The table of labels has {found}: {some}.{remedy} Mend the table and run again.")
