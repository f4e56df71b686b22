"""File numbers: neighbours in a series of captures resemble each other, and blocks of numbers keep them apart."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.images.grouping import merge_groups

_DIGITS = re.compile(r"[0-9]+")
_MOST_DIGITS = 18  # what 64 bits hold; longer runs are hashes
_NONE = -1
_NUMBERED_SHARE = 0.9  # of the images of each class
_IMAGES_A_SERIES = 5  # on average; below this, numbers restart too often to have neighbours
_ROUNDING = 1e-9


def number_files(images: pd.DataFrame) -> pd.DataFrame:
    """Read each image's number from its file name: the last run of digits that differs within the class.

    A run that all names of one form and class share is no number: a size, a magnification. Numbers are compared within
    a series only, the files whose path is the same up to the number, so that each folder may start anew.

    Args:
        images: ``image_id`` and ``label``, one row an image.

    Returns:
        ``label``, ``series`` (the path up to the number) and ``number`` (-1 where a name has none), with the index of
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
    """Find which run of digits numbers the files of one form; None if there is none."""
    columns = [set(column) for column in zip(*runs, strict=True)]
    short = [place for place, column in enumerate(columns) if max(map(len, column)) <= _MOST_DIGITS]
    varying = [place for place in short if len(columns[place]) > 1]
    return (varying or short)[-1] if short else None


def explain_lack(files: pd.DataFrame, blocks: int) -> str | None:
    """Say why file numbers cannot order the images, if they cannot.

    Args:
        files: As ``number_files`` gives them.
        blocks: Into how many the images of each class are to be cut.
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
    """Tell which images have a number."""
    return files["number"] != _NONE


def cut_blocks(files: pd.DataFrame, blocks: int, shift: float = 0.0) -> pd.Series:
    """Cut each class into contiguous blocks of about as many images; a number is never divided.

    Args:
        files: As ``number_files`` gives them.
        blocks: How many.
        shift: By what share of a block the inner boundaries are moved.

    Returns:
        The number of each image's block, from 0; -1 for images without a number.
    """
    return np.floor(_place(files) * blocks - shift + _ROUNDING).clip(0, blocks - 1).fillna(_NONE).astype(int)


def _place(files: pd.DataFrame) -> pd.Series:
    """Tell where in its class each image stands, from 0 to below 1, all images of one number at the same place."""
    keys = ["label", "series", "number"]
    ordered = files[is_numbered(files)].sort_values(keys, kind="stable")
    classes = ordered.groupby("label")["label"]
    places = classes.cumcount() / classes.transform("size")
    return places.groupby([ordered[key] for key in keys]).transform("first").reindex(files.index)


def find_near(files: pd.DataFrame, chosen: pd.Series, embargo: int) -> pd.Series:
    """Find the other images of the same series within an embargo of chosen ones.

    Args:
        files: As ``number_files`` gives them.
        chosen: Which images others must not be near to, boolean.
        embargo: Of how many file numbers, whether or not there is a file of each.
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
    """Find the other images that are near to chosen ones, or copies of one.

    Args:
        images: With the ``group`` of duplicates.
        files: The same images, as ``number_files`` gives them.
        chosen: Which of them.
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
    """Put one contiguous block of each class into test, another into validation, and what is far from both into train.

    Args:
        images: ``label`` and the ``group`` of duplicates, one row an image.
        files: The same images, as ``number_files`` gives them.
        test: The share of each class that tests, a block whose place is drawn; or which block of how many, from 1.
        validation: The share of what is left of each class that validates.
        embargo: Of how many file numbers between test images and all others.
        validation_embargo: Of how many between training and validation images; None for as many.
        seed: For the place of the test blocks.

    Returns:
        The split of each image; none for images within the embargo, copies that would straddle, and images without a
        number.

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
    """Draw a block of each class that has a share of its images."""
    rng = np.random.default_rng(seed)
    places = _place(files)
    starts = {label: rng.uniform(0, 1 - share) for label in sorted(set(files["label"]))}
    beyond = places - files["label"].map(starts)
    return (beyond >= 0) & (beyond < share)


def _choose_beside(files: pd.DataFrame, left: pd.Series, tests: pd.Series, share: float) -> pd.Series:
    """Choose the images next to the test block, after it or, where there are more, before it.

    One gap of embargoed images then serves two splits, and more are left to train.
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
    """Give the images of each run of ``embargo + 1`` file numbers of a split, and their copies, one group.

    Args:
        images: ``image_id, group, split``, the group of duplicates, one row an image with a number.
        files: The same images, as ``number_files`` gives them.
        embargo: Over how many numbers images are alike.
    """
    part = [images["split"], files["label"], files["series"]]
    run = (files["number"] - files["number"].groupby(part).transform("min")) // (embargo + 1)
    return merge_groups(images["image_id"].groupby([*part, run]).transform("first"), images["group"])
