"""Split the accepted images so that no group straddles two splits."""

import logging

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.images.packed import PackedImages
from leukoscope.images.partition import SPLITS
from leukoscope.pipelines.splitting.options import SplittingOptions

logger = logging.getLogger(__name__)


def group_images(
    manifest: pd.DataFrame,
    group_table: pd.DataFrame | None,
    smears: PackedImages,
    options: SplittingOptions,
    seed: int,
) -> pd.DataFrame:
    """Select the accepted images, and assign to each the group that must not straddle two splits.

    Args:
        manifest: One row per file.
        group_table: The user's table: a column ``group`` (a patient, a slide), and a column ``image_id`` or
            ``pattern`` (a shell pattern of image ids); none if there is no such file.
        smears: The packed images, for their appearance clusters.
        options: What to group by.
        seed: Random seed for clustering by appearance.

    Returns:
        ``image_id, label, group, sha256``, one row per accepted image.

    Raises:
        InputError: The table is missing, names an unknown image, or omits an image.
    """
    from leukoscope.images import grouping

    if group_table is not None and options.group_by != "table":
        raise InputError(
            f"There is a table of groups, and splitting.group_by is '{options.group_by}', so that it would not be "
            "used. Give splitting.group_by=table, or move the table away."
        )
    images = grouping.select_accepted(manifest)
    match options.group_by:
        case "appearance":
            return images.assign(group=grouping.group_by_appearance(images, smears, options.appearance_clusters, seed))
        case "table" if group_table is None:
            raise InputError(
                "splitting.group_by is 'table', and there is no table of groups. Give its path with "
                "--params group_table=PATH: a CSV with the columns image_id (or pattern) and group."
            )
        case "table":
            return images.assign(group=grouping.group_by_table(images, manifest, group_table))
        case "name":
            return images.assign(group=grouping.group_by_name(images, manifest))
    if manifest.reindex(columns=["named_group"]).notna().to_numpy().any():
        logger.warning(
            "The images' names tell which of them belong together, and splitting.group_by is '%s': images of one "
            "subject may be in two splits. splitting.group_by=name keeps them together.",
            options.group_by,
        )
    return images


def assign_splits(images: pd.DataFrame, options: SplittingOptions, seed: int) -> pd.DataFrame:
    """Assign each image to train, validation or test.

    Args:
        images: ``image_id, label, group, sha256``, one row per image.
        options: The shares of the splits, or the fold.
        seed: Random seed for shuffling groups, or for the place of the test blocks.

    Returns:
        ``image_id, label, group, split``, one row per image; splits by series omit images within the embargo.

    Raises:
        InputError: A class has too few groups, or file names contain no numbers for a split by series.
        RuntimeError: A group or a hash is in two splits.
    """
    from leukoscope.images import partition

    assign = _assign_by_series if options.group_by == "series" else _assign_by_group
    assigned = assign(images, options, seed)
    for unit in ("group", "sha256"):
        if straddling := partition.count_straddling(assigned["split"], assigned[unit]):
            raise RuntimeError(f"{straddling} of {unit} are in two splits: a fault of splitting, nothing was kept")
    return assigned[["image_id", "label", "group", "split"]]


def _assign_by_group(images: pd.DataFrame, options: SplittingOptions, seed: int) -> pd.DataFrame:
    from leukoscope.images import partition

    fold = options.fold_number
    if fold is None:
        split = partition.partition_groups(images, {name: getattr(options, name) for name in SPLITS}, seed)
    else:
        chosen, folds = fold
        parts = partition.partition_groups(images, {str(number): 1.0 for number in range(1, folds + 1)}, seed)
        rest = images[parts != str(chosen)]
        shares = {"train": options.train, "validation": options.validation}
        split = partition.partition_groups(rest, shares, seed).reindex(images.index, fill_value="test")
    return images.assign(split=split)


def _assign_by_series(images: pd.DataFrame, options: SplittingOptions, seed: int) -> pd.DataFrame:
    from leukoscope.images import series

    files = series.number_files(images)
    validation = options.validation / (options.train + options.validation)
    test = options.fold_number or options.test
    embargoes = (options.embargo, options.validation_embargo)
    split = series.divide_by_series(images, files, test, validation, *embargoes, seed)
    if options.validation_embargo is not None and options.validation_embargo < options.embargo:
        logger.warning(
            "Validation images may be %d file numbers away from training images, and test images are more than %d: "
            "what is calibrated on the former may be too sure of the latter",
            options.validation_embargo + 1,
            options.embargo,
        )
    inside = split.notna()
    left_out = "%d of %d images are in no split: within the embargo, copies across it, or without a file number"
    logger.info(left_out, (~inside).sum(), len(images))
    kept = images[inside].assign(split=split[inside])
    return kept.assign(group=series.group_runs(kept, files[inside], options.embargo)).reset_index(drop=True)


def report_splits(
    images: pd.DataFrame, splits: pd.DataFrame, class_names: list[str], options: SplittingOptions
) -> pd.DataFrame:
    """Count images and groups of each class in each split, and those that straddle splits.

    Args:
        images: The accepted images with their hashes.
        splits: The split of each image.
        class_names: The order of the rows.
        options: What images were grouped by.

    Returns:
        One row per class and one for all, ``total``: the images and groups in each split, the images in none
        (``left_out``), the groups and the hashes in two splits (always 0), and the grouping unit in words.
    """
    from leukoscope.images import grouping, partition

    with_total = pd.concat([splits, splits.assign(label="total")]).groupby(["label", "split"])
    table = with_total.size().unstack().reindex(index=[*class_names, "total"], columns=list(SPLITS))
    table = table.join(with_total["group"].nunique().unstack()[list(SPLITS)].add_suffix("_groups"))
    accepted = pd.concat([images, images.assign(label="total")])["label"].value_counts()
    table["left_out"] = accepted.reindex(table.index) - table[list(SPLITS)].sum(axis=1)
    hashes = splits["image_id"].map(images.set_index("image_id")["sha256"])
    table["straddling_groups"] = partition.count_straddling(splits["split"], splits["group"])
    table["straddling_hashes"] = partition.count_straddling(splits["split"], hashes)
    embargo = f" (embargo: {options.embargo} file numbers)" if options.group_by == "series" else ""
    table["grouping_unit"] = grouping.UNITS[options.group_by] + embargo
    return table.reset_index(names="label")
