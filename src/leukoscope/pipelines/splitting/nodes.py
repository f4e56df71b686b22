"""Split the accepted images, so that no group straddles."""

import pandas as pd

from leukoscope.errors import InputError
from leukoscope.images.manifest import ACCEPTED
from leukoscope.pipelines.splitting.options import SplittingOptions

SPLITS = ("train", "validation", "test")
GROUPING_UNITS = {
    "duplicate": "identical and near-identical images (not patients)",
    "table": "the user's table of groups, and identical and near-identical images",
}


def group_images(manifest: pd.DataFrame, group_table: pd.DataFrame | None, options: SplittingOptions) -> pd.DataFrame:
    """Select the accepted images and give each the group that must not straddle.

    Args:
        manifest: One row a file.
        group_table: The user's table: a column ``group`` (a patient, a slide), and a column ``image_id`` or
            ``pattern`` (a shell pattern of image ids); none if there is no such file.
        options: Says what to group by.

    Returns:
        ``image_id, label, group, sha256``, one row an accepted image.

    Raises:
        InputError: The table is missing, names an image that is not there, or leaves one out.
    """
    from leukoscope.images import partition

    accepted = (manifest["status"] == ACCEPTED).to_numpy()
    images = manifest.loc[accepted, ["image_id", "label", "group", "sha256"]].reset_index(drop=True)
    if options.group_by == "duplicate":
        if group_table is not None:
            raise InputError(
                "There is a table of groups, and splitting.group_by is 'duplicate', so that it would not be used. Give "
                "splitting.group_by=table, or move the table away."
            )
        return images
    if group_table is None:
        raise InputError(
            "splitting.group_by is 'table', and there is no table of groups. Give its path with "
            "--params group_table=PATH: a CSV with the columns image_id (or pattern) and group."
        )
    groups = partition.look_up_groups(manifest["image_id"], accepted, group_table)
    return images.assign(group=partition.merge_groups(groups, images["group"]))


def assign_splits(images: pd.DataFrame, options: SplittingOptions, seed: int) -> pd.DataFrame:
    """Put each image into train, validation or test.

    Args:
        images: ``image_id, label, group, sha256``, one row an image.
        options: The shares or the fold.
        seed: For the shuffling of groups.

    Returns:
        ``image_id, label, group, split``, one row an image.

    Raises:
        InputError: A class has too few groups.
        RuntimeError: A group or a hash is in two splits.
    """
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
    for unit in ("group", "sha256"):
        if straddling := partition.count_straddling(split, images[unit]):
            raise RuntimeError(f"{straddling} of {unit} are in two splits: a fault of splitting, nothing was kept")
    return images.assign(split=split)[["image_id", "label", "group", "split"]]


def report_splits(
    images: pd.DataFrame, splits: pd.DataFrame, class_names: list[str], options: SplittingOptions
) -> pd.DataFrame:
    """Count images and groups of each class in each split, and what straddles.

    Args:
        images: The accepted images with their hashes.
        splits: Which split each is in.
        class_names: The order of the rows.
        options: Says what was grouped by.

    Returns:
        One row a class and one for all: images and groups in each split, how many groups and how many
        hashes are in two splits (always 0), and the grouping unit in words.
    """
    from leukoscope.images import partition

    with_total = pd.concat([splits, splits.assign(label="all")]).groupby(["label", "split"])
    table = with_total.size().unstack().reindex(index=[*class_names, "all"], columns=list(SPLITS))
    table = table.join(with_total["group"].nunique().unstack()[list(SPLITS)].add_suffix("_groups"))
    hashes = splits["image_id"].map(images.set_index("image_id")["sha256"])
    table["straddling_groups"] = partition.count_straddling(splits["split"], splits["group"])
    table["straddling_hashes"] = partition.count_straddling(splits["split"], hashes)
    table["grouping_unit"] = GROUPING_UNITS[options.group_by]
    return table.reset_index(names="label")
