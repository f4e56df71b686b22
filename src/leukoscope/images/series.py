"""Split by file numbers: neighbours in a series of captures look alike, and blocks of numbers keep them together."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.images.grouping import merge_groups

_DIGITS = re.compile(r"[0-9]+")
_MOST_DIGITS = 18  # the most that 64 bits hold; longer runs are hashes
_NONE = -1
_NUMBERED_SHARE = 0.9  # of the images of each class
_IMAGES_A_SERIES = 5  # on average; below this, numbers restart too often for neighbours to exist
_ROUNDING = 1e-9


def number_files(images: pd.DataFrame) -> pd.DataFrame:
    """Read each image's number from its file name: the last run of digits that differs within the class.

    A run that all names of one form and class share, such as a size or a magnification, is not a number. Numbers are
    compared only within a series (files whose paths agree up to the number), so each folder may restart its numbers.

    Args:
        images: ``image_id`` and ``label``, one row per image.

    Returns:
        ``label``, ``series`` (the path up to the number) and ``number`` (-1 if a name has none), with the index of
        ``images``.
    """
    files = pd.DataFrame({"label": images["label"], "series": images["image_id"], "number": _NONE})
    names = images["image_id"].str.rsplit("/", n=1).str[-1]
    forms = names.str.replace(_DIGITS, "#", regex=True)
    for _, some in names.groupby([images["label"], forms], sort=False):
        runs = [list(_DIGITS.finditer(name)) for name in some]
        position = _find_number([[run.group() for run in row] for row in runs])
        if position is not None:
            ends = [len(name) - row[position].start() for name, row in zip(some, runs, strict=True)]
            ids = images.loc[some.index, "image_id"]
            files.loc[some.index, "series"] = [path[:-end] for path, end in zip(ids, ends, strict=True)]
            files.loc[some.index, "number"] = [int(row[position].group()) for row in runs]
    return files


def _find_number(runs: Sequence[Sequence[str]]) -> int | None:
    """Find which run of digits is the number in file names of one form; None if there is none."""
    columns = [set(column) for column in zip(*runs, strict=True)]
    short = [place for place, column in enumerate(columns) if max(map(len, column)) <= _MOST_DIGITS]
    varying = [place for place in short if len(columns[place]) > 1]
    return (varying or short)[-1] if short else None


def explain_lack(files: pd.DataFrame, blocks: int) -> str | None:
    """Explain why file numbers cannot order the images; ``None`` if they can.

    Args:
        files: As returned by ``number_files``.
        blocks: Number of blocks that the images of each class will be cut into.
    """
    for label, rows in files.groupby("label", sort=False):
        numbered = rows[rows["number"] != _NONE]
        series = numbered["series"].nunique()
        numbers = len(numbered.drop_duplicates())
        if len(numbered) < _NUMBERED_SHARE * len(rows):
            return f"{len(rows) - len(numbered)} of {len(rows)} file names of class {label} have no number"
        if len(numbered) < _IMAGES_A_SERIES * series:
            return f"the file numbers of class {label} start anew {series} times among {len(numbered)} images"
        if numbers < blocks:
            return f"class {label} has {numbers} different file numbers, too few for {blocks} blocks"
    return None


def is_numbered(files: pd.DataFrame) -> pd.Series:
    """Mark the images that have a number."""
    return files["number"] != _NONE


def cut_blocks(files: pd.DataFrame, blocks: int, shift: float = 0.0) -> pd.Series:
    """Cut each class into contiguous blocks of about equal size; images with one number stay together.

    Args:
        files: As returned by ``number_files``.
        blocks: Number of blocks.
        shift: Shift of the inner boundaries, as a share of a block.

    Returns:
        The number of each image's block, from 0; -1 for images without a number.
    """
    return np.floor(_place(files) * blocks - shift + _ROUNDING).clip(0, blocks - 1).fillna(_NONE).astype(int)


def _place(files: pd.DataFrame) -> pd.Series:
    """Compute each image's relative position in its class, in [0, 1), equal for all images with the same number."""
    keys = ["label", "series", "number"]
    ordered = files[is_numbered(files)].sort_values(keys, kind="stable")
    classes = ordered.groupby("label")["label"]
    places = classes.cumcount() / classes.transform("size")
    return places.groupby([ordered[key] for key in keys]).transform("first").reindex(files.index)


def find_near(files: pd.DataFrame, chosen: pd.Series, embargo: int) -> pd.Series:
    """Find the images within the embargo of chosen images in the same series, excluding the chosen ones.

    Args:
        files: As returned by ``number_files``.
        chosen: The images that others must not be near, boolean.
        embargo: The embargo in file numbers, whether or not each number has a file.
    """
    near = pd.Series(False, index=files.index)
    for _, rows in files[is_numbered(files)].groupby(["label", "series"], sort=False):
        taken = np.sort(rows.loc[chosen[rows.index], "number"].to_numpy())
        if len(taken):
            numbers = rows["number"].to_numpy()
            after = np.searchsorted(taken, numbers)
            gaps = [np.abs(numbers - taken[np.clip(place, 0, len(taken) - 1)]) for place in (after - 1, after)]
            near[rows.index] = np.minimum(*gaps) <= embargo
    return near & ~chosen


def find_barred(images: pd.DataFrame, files: pd.DataFrame, chosen: pd.Series, embargo: int) -> pd.Series:
    """Find the images that are within the embargo of chosen images or copies of one, excluding the chosen ones.

    Args:
        images: The images with the ``group`` of duplicates.
        files: The same images, as returned by ``number_files``.
        chosen: The chosen images, boolean.
        embargo: As in ``find_near``.
    """
    copies = images["group"].isin(set(images.loc[chosen, "group"])) & ~chosen
    return find_near(files, chosen, embargo) | copies


def divide_by_series(
    images: pd.DataFrame,
    files: pd.DataFrame,
    test: float | tuple[int, int],
    validation: float,
    embargo: int,
    validation_embargo: int | None,
    seed: int,
) -> pd.Series:
    """Assign one contiguous block of each class to test, another to validation, and images far from both to train.

    Args:
        images: ``label`` and the ``group`` of duplicates, one row per image.
        files: The same images, as returned by ``number_files``.
        test: The test share of each class, as a randomly placed block; or (block, number of blocks), from 1.
        validation: The validation share of each class's remaining images.
        embargo: The embargo between test images and all others, in file numbers.
        validation_embargo: The embargo between training and validation images; None: the same.
        seed: Seed for the position of the test blocks.

    Returns:
        The split of each image; null for images within the embargo, copies that would straddle splits, and images
        without a number.

    Raises:
        InputError: File names have no numbers that order them, or a class has no image left for a split.
    """
    _require_numbers(files, test[1] if isinstance(test, tuple) else 2)
    tests = cut_blocks(files, test[1]) == test[0] - 1 if isinstance(test, tuple) else _draw_blocks(files, test, seed)
    left = is_numbered(files) & ~tests & ~find_barred(images, files, tests, embargo)
    validates = _choose_beside(files, left, tests, validation)
    between = embargo if validation_embargo is None else validation_embargo
    trains = left & ~validates & ~find_barred(images, files, validates, between)
    split = pd.Series(None, index=images.index, dtype="str")
    for name, members in (("train", trains), ("validation", validates), ("test", tests)):
        split[members] = name
        if lacking := set(images["label"]) - set(images.loc[members, "label"]):
            apart = "" if between == embargo else f" and validation_embargo at {between}"
            smaller = "embargo or validation_embargo" if name == "train" and between else "embargo"
            raise InputError(
                f"With splitting.embargo at {embargo}{apart} class {min(lacking)} has no image left for {name}. "
                f"Expected one or more: give a smaller {smaller}, or other shares or folds."
            )
    return split


def _require_numbers(files: pd.DataFrame, blocks: int) -> None:
    if lack := explain_lack(files, blocks):
        raise InputError(
            f"splitting.group_by is 'series', and {lack}. Expected file names that end in the number of the capture, "
            "as in WBC-Benign-001: rename the files, or group by something else."
        )


def _draw_blocks(files: pd.DataFrame, share: float, seed: int) -> pd.Series:
    """Draw a random block of each class with the given share of its images."""
    rng = np.random.default_rng(seed)
    places = _place(files)
    starts = {label: rng.uniform(0, 1 - share) for label in sorted(set(files["label"]))}
    beyond = places - files["label"].map(starts)
    return (beyond >= 0) & (beyond < share)


def _choose_beside(files: pd.DataFrame, left: pd.Series, tests: pd.Series, share: float) -> pd.Series:
    """Choose the images next to the test block, after it or, if more images lie there, before it.

    A single gap of embargoed images then serves two splits, which leaves more images for training.
    """
    places = _place(files)
    chosen = pd.Series(False, index=files.index)
    for label, label_files in files[left].groupby("label"):
        block = places[tests & (files["label"] == label)]
        here = places[label_files.index]
        after = here[here > block.max()]
        before = here[here < block.min()]
        wanted = max(1, round(share * len(label_files)))
        if len(after) >= len(before):
            chosen[after[after <= after.nsmallest(wanted).max()].index] = True
        else:
            chosen[before[before >= before.nlargest(wanted).min()].index] = True
    return chosen


def group_runs(images: pd.DataFrame, files: pd.DataFrame, embargo: int) -> pd.Series:
    """Group each run of ``embargo + 1`` file numbers within a split, together with the images' copies.

    Args:
        images: ``image_id, group, split`` (the group of duplicates), one row per image with a number.
        files: The same images, as returned by ``number_files``.
        embargo: The number of file numbers over which images are similar.
    """
    part = [images["split"], files["label"], files["series"]]
    run = (files["number"] - files["number"].groupby(part).transform("min")) // (embargo + 1)
    return merge_groups(images["image_id"].groupby([*part, run]).transform("first"), images["group"])
