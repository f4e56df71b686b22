"""The manifest: the facts about every file found, and whether it may be used."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.images.duplicates import Hashes, group_duplicates
from leukoscope.images.packed import PackedImages
from leukoscope.images.relabelling import FOLDER_LABEL, are_relabelled

ACCEPTED = "accepted"
QUARANTINED = "quarantined"
IDENTICAL = "identical"
NEAR = "near"
_CONFLICT = "conflicting labels"
_LOOKS_LIKE = "looks like"
_WARNED = "a warning in the manifest"
_COLUMNS = [
    "image_id",
    "path",
    "label",
    "sha256",
    "perceptual_hash",
    "bytes",
    "width",
    "height",
    "mode",
    "drawn",
    "status",
    "reason",
    "warning",
    "duplicate_of",
    "duplicate_kind",
    "group",
    "named_group",
    FOLDER_LABEL,
]


def make_manifest(
    records: pd.DataFrame,
    pixels: np.ndarray,
    max_distance: int | None,
    find: Callable[[np.ndarray, Hashes], Iterable[np.ndarray]] | None = None,
) -> pd.DataFrame:
    """Decide which files are accepted, and which are duplicates.

    Args:
        records: As in ``PackedImages.records``.
        pixels: As in ``PackedImages.pixels``.
        max_distance: See ``group_duplicates``.
        find: Finds similar pairs, given the images' rows in ``pixels`` and their hashes; ``None``: in this process.

    Returns:
        The records in their order, with ``status``, ``reason``, ``group``, ``duplicate_of`` (first image of the
        group, null for the first image itself) and ``duplicate_kind`` (``identical`` to an earlier image byte for
        byte, or ``near``).
    """
    decoded = records.loc[records["reason"].isna(), ["image_id", "label", "sha256", "perceptual_hash", "row"]]
    rows = decoded["row"].to_numpy(dtype=np.int64)
    hashes = decoded["sha256"], decoded["perceptual_hash"]
    finder = partial(find, rows) if find else None
    first = group_duplicates(*hashes, max_distance, lambda position: pixels[rows[position]], finder)
    decoded["group"] = decoded["image_id"].array[first]
    is_copy = decoded["group"] != decoded["image_id"]
    kind = decoded["sha256"].duplicated().map({True: IDENTICAL, False: NEAR})
    reason = records["reason"].fillna(_describe_conflicts(decoded))
    # Columns are aligned by the index: a file that was not decoded forms its own group and is not a duplicate.
    return records.assign(
        status=reason.isna().map({True: ACCEPTED, False: QUARANTINED}),
        reason=reason,
        duplicate_of=decoded["group"].where(is_copy),
        duplicate_kind=kind.where(is_copy),
        group=decoded["group"].reindex(records.index).fillna(records["image_id"]),
    ).reindex(columns=_COLUMNS)


def _describe_conflicts(decoded: pd.DataFrame) -> pd.Series:
    """Describe the conflict of each member of a group with several labels, naming a member with another label."""
    reasons = pd.Series(None, index=decoded.index, dtype="str")
    mixed = decoded[decoded.groupby("group")["label"].transform("nunique") > 1]
    for _, members in mixed.groupby("group"):
        for position, image_id, label in members[["image_id", "label"]].itertuples():
            other = members[members["label"] != label].iloc[0]
            same = members.loc[members["image_id"] == image_id, "sha256"].item() == other["sha256"]
            how = "identical to" if same else _LOOKS_LIKE
            reasons[position] = f"{_CONFLICT}: {how} {other['image_id']} ({other['label']})"
    return reasons


def quarantine_known(
    manifest: pd.DataFrame,
    smears: PackedImages,
    known: pd.DataFrame,
    known_smears: PackedImages,
    max_distance: int | None,
) -> pd.DataFrame:
    """Quarantine images that are identical or near-identical to an image of another manifest.

    Args:
        manifest: The manifest of the images to check.
        smears: The packed images to check.
        known: The other manifest; its images are packed at the same size.
        known_smears: The packed images of the other manifest.
        max_distance: See ``group_duplicates``.
    """
    columns = ["image_id", "sha256", "perceptual_hash", "status"]
    both = pd.concat([known[columns], manifest[columns]], ignore_index=True).query("status == @ACCEPTED")
    is_known = both.index < len(known)
    stores = known_smears, smears
    rows = np.concatenate(
        [store.rows(both.loc[part, "image_id"]) for store, part in zip(stores, (is_known, ~is_known), strict=True)]
    )

    def view(position: int) -> np.ndarray:
        return stores[int(~is_known[position])].pixels[rows[position]]

    first = group_duplicates(both["sha256"], both["perceptual_hash"], max_distance, view)
    known_twins = pd.Series(both["image_id"].array[first], both.index - len(known))[~is_known & is_known[first]]
    reason = "among the images of training and testing: " + known_twins.astype(str)
    return manifest.assign(
        status=manifest["status"].where(~manifest.index.isin(known_twins.index), QUARANTINED),
        reason=manifest["reason"].fillna(reason),
    )


def require_accepted(manifest: pd.DataFrame, class_names: Sequence[str]) -> None:
    """Check that every class has an accepted image.

    Raises:
        InputError: A class has no accepted image.
    """
    accepted = set(manifest.loc[manifest["status"] == ACCEPTED, "label"])
    for name in class_names:
        if name not in accepted:
            reasons = manifest.loc[manifest["label"] == name, "reason"]
            taken = (manifest.reindex(columns=[FOLDER_LABEL])[FOLDER_LABEL] == name).sum()
            if taken and not len(reasons):
                raise InputError(
                    f"The class {name} has no accepted image: the table of labels gives all {taken} of its folder "
                    f"another class. Expected one image or more: mend the table, or take the class out of class_names."
                )
            often = f", most often: {reasons.mode().iat[0]}" if len(reasons) else ""
            raise InputError(
                f"The class {name} has no accepted image: {count_of(len(reasons), 'file is', 'files are')} "
                f"quarantined{often}. "
                "Expected one image or more: mend the files, or take the class out of class_names. "
                + (describe_conflicts(manifest) or "")
            )


def summarise(manifest: pd.DataFrame, class_names: Sequence[str], expected: dict[str, int] | None) -> pd.DataFrame:
    """Count the files of each class, of no class (if there are any) and in total.

    Returns:
        One row per ``label``, ending with ``total``: ``found``, ``accepted``, ``quarantined``, ``duplicates`` (split
        into ``identical`` and ``near``), ``warned`` (has a warning) and ``relabelled`` (its class differs from its
        folder's), accepted or not, and ``expected`` (null if there is no expectation).
    """
    flags = pd.DataFrame(
        {
            "label": manifest["label"].fillna("(no class)"),
            "found": True,
            "accepted": manifest["status"] == ACCEPTED,
            "quarantined": manifest["status"] == QUARANTINED,
            "duplicates": manifest["duplicate_of"].notna(),
            "identical": manifest["duplicate_kind"] == IDENTICAL,
            "near": manifest["duplicate_kind"] == NEAR,
            "warned": manifest["warning"].notna(),
            "relabelled": are_relabelled(manifest),
        }
    )
    counts = flags.groupby("label").sum()
    unlabelled = [name for name in counts.index if name not in class_names]
    counts = counts.reindex([*class_names, *unlabelled], fill_value=0)
    counts.loc["total"] = counts.sum()
    expected = expected or {}
    total = {"total": sum(expected.values())} if expected else {}
    counts["expected"] = pd.Series(expected | total, dtype="Int64").reindex(counts.index)
    return counts.rename_axis("label").reset_index()


def fingerprint_manifest(manifest: pd.DataFrame) -> str:
    """Hash the images, which of them are accepted, and the labels that differ from their folders'."""
    facts = manifest[["image_id", "sha256", "status"]]
    # Keep the fingerprints from before tables of labels existed.
    changed = manifest["label"].where(are_relabelled(manifest))
    return fingerprint_table(facts if changed.isna().all() else facts.assign(label=changed))


def describe_conflicts(manifest: pd.DataFrame) -> str | None:
    """Explain what to do if images of different classes look alike but are not copies; ``None`` if none look alike."""
    alike = int(manifest["reason"].str.startswith(f"{_CONFLICT}: {_LOOKS_LIKE}").sum())
    if not alike:
        return None
    return (
        f"{count_of(alike, 'file looks', 'files look')} like a file of another class. If they are not copies, lower "
        "ingestion.near_duplicate_distance; null takes only identical files for duplicates."
    )


def describe_shortfalls(report: pd.DataFrame, manifest: pd.DataFrame, most: int = 3) -> list[str]:
    """Describe what a reader of the log must not overlook: quarantined or suspicious files, and unexpected counts."""
    lines = []
    for column, verbs, rest in (("reason", ("is", "are"), "quarantined"), ("warning", ("has", "have"), _WARNED)):
        texts = manifest[column].dropna().str.replace(r":.*", "", regex=True).value_counts()
        if len(texts):
            often = ", ".join(f"{text} ({count})" for text, count in texts.head(most).items())
            files = count_of(texts.sum(), f"file {verbs[0]}", f"files {verbs[1]}")
            lines.append(f"{files} {rest}, most often: {often}")
    conflicts = describe_conflicts(manifest)
    if conflicts:
        lines.append(conflicts)
    differing = report[report["expected"].notna() & (report["found"] != report["expected"])]
    if len(differing):
        counts = zip(differing["label"], differing["found"], differing["expected"], strict=True)
        words = ", ".join(f"{label} {actual} of {expected}" for label, actual, expected in counts)
        lines.append(f"The numbers of files are not those expected: {words}")
    return lines
