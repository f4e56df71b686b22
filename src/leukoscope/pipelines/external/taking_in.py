"""Ingest images from another source: recognise their layout, map their classes, accept or quarantine them."""

import logging
from typing import Any

import pandas as pd

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.class_names import MALIGNANT
from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.evaluation.class_mapping import ClassMapping
from leukoscope.images import layout as layouts
from leukoscope.images.class_folders import list_folder_names
from leukoscope.images.files import ImageSource, compose
from leukoscope.images.grouping import merge_groups
from leukoscope.images.manifest import (
    ACCEPTED,
    describe_conflicts,
    describe_shortfalls,
    make_manifest,
    quarantine_known,
    summarise,
)
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.external.options import ExternalOptions
from leukoscope.pipelines.ingestion.nodes import plan_packing
from leukoscope.pipelines.ingestion.options import IngestionOptions

logger = logging.getLogger(__name__)


def recognise_layout(external_images: ImageSource, external: ExternalOptions) -> dict[str, Any]:
    """Recognise the layout of the external images, or check that it is the chosen one.

    Args:
        external_images: Where the images are.
        external: The layout that the user chose.

    Returns:
        The fields of ``LayoutFacts``.

    Raises:
        InputError: The images have another layout.
    """
    layout = layouts.recognise(external_images, external.layout, "external.layout")
    facts = layout.describe(external_images)
    if facts.layout != layouts.FOLDERS:
        counts = ", ".join(f"{label} {count:,}" for label, count in facts.labels.items())
        logger.info("%s, %s, labels: %s. %s", facts.title, facts.scale, counts or "none", facts.unknown)
    return facts._asdict()


def map_classes(
    external: ExternalOptions, layout: dict[str, Any], class_names: list[str], evaluation: EvaluationOptions
) -> dict[str, Any]:
    """Map each folder, or each label of the layout, to a class.

    Args:
        external: The user's table of folders.
        layout: The meaning of the layout's labels; without a table, labels map to the classes of the same names, or
            else to their meanings.
        class_names: The classes that the classifiers know, in order.
        evaluation: Names the benign classes.

    Returns:
        The fields of ``ClassMapping``.

    Raises:
        InputError: Neither the user nor the layout says what the labels mean.
    """
    benign = evaluation.benign_class
    if external.class_map is not None or layout["layout"] == layouts.FOLDERS:
        return ClassMapping.resolve(external.class_map, class_names, benign)._asdict()
    labels = list(layout["labels"])
    if set(labels) <= set(class_names):
        return ClassMapping.resolve({name: name for name in labels}, class_names, benign)._asdict()
    unclear = [name for name in labels if name not in layout["meanings"]]
    if unclear:
        raise InputError(
            f"{layout['unknown']} Say which class each label holds, as in external.class_map.NAME={benign[0]}; "
            f"there are {', '.join(labels)}."
        )
    meanings = {name: MALIGNANT if layout["meanings"][name] == MALIGNANT else benign[0] for name in labels}
    return ClassMapping.resolve(meanings, class_names, benign, two_classes=True)._asdict()


def decode_external(
    external_images: ImageSource, mapping: dict[str, Any], layout: dict[str, Any], options: IngestionOptions
) -> PackingPlan:
    """Plan the decoding of all external images.

    Args:
        external_images: Where the images are.
        mapping: Their folders or labels; missing ones are skipped.
        layout: The layout of the images.
        options: The ingestion parameters, as for all images.

    Raises:
        InputError: None of the folders or labels exists.
    """
    is_folders = layout["layout"] == layouts.FOLDERS
    names = list_folder_names(external_images) if is_folders else set(layout["labels"])
    there = [name for name in mapping["by_folder"] if (compose(name) if is_folders else name) in names]
    if not there:
        what = "folder" if is_folders else "label"
        raise InputError(
            f"{external_images.root} has none of the {what}s {', '.join(mapping['by_folder'])}. Say by "
            f"external.class_map which class each of its {what}s holds."
            f"{layouts.suggest(external_images, 'external.layout') if is_folders else ''}"
        )
    return plan_packing(external_images, layouts.get(layout["layout"]), there, options, ClusterOptions())


def build_external_manifest(
    external_smears: PackedImages,
    mapping: dict[str, Any],
    layout: dict[str, Any],
    smears: PackedImages,
    manifest: pd.DataFrame,
    options: IngestionOptions,
) -> pd.DataFrame:
    """Accept or quarantine every external file; images that are also in the classifiers' own data are quarantined.

    Args:
        external_smears: The packed external images.
        mapping: Their folders or labels.
        layout: The layout: images of one subject, if names reveal it, form one group.
        smears: The packed images that the classifiers were trained and tested on.
        manifest: The manifest of these packed images.
        options: The threshold for near-duplicates.

    Raises:
        InputError: No external image was accepted.
    """
    distance = options.near_duplicate_distance
    checked_alone = make_manifest(external_smears.records, external_smears.pixels, distance)
    usable = int((checked_alone["status"] == ACCEPTED).sum())
    checked = quarantine_known(checked_alone, external_smears, manifest, smears, distance)
    known = int((checked["status"] != checked_alone["status"]).sum())
    if known:
        images = count_of(known, "external image is", "external images are")
        logger.warning("%s among those that the classifiers were made of, and left out", images)
    if not (checked["status"] == ACCEPTED).any():
        raise InputError(
            f"No external image is usable and new, of {len(checked_alone)}: {len(checked_alone) - usable} quarantined "
            f"for what they are, {known} among those of ingestion. Give others with --params external_images=PATH. "
            + (describe_conflicts(checked_alone) or "")
        )
    for line in describe_shortfalls(summarise(checked, list(mapping["by_folder"]), None), checked):
        logger.warning(line)
    if has_other_scale(layout, smears):
        logger.warning("These are single cells, and the classifiers learned from fields: that is another task")
    return _warn_of_missing(_group_by_name(_label(checked, mapping), external_smears.layout), mapping)


def describe_layout(manifest: pd.DataFrame, layout: dict[str, Any], smears: PackedImages) -> dict[str, Any]:
    """Describe for pages what file names reveal about external images.

    Args:
        manifest: Every external file.
        layout: The layout, as returned by ``recognise_layout``.
        smears: The packed images that the classifiers were trained and tested on.

    Returns:
        The layout, the counts of ``count_subjects``, and ``other_scale``.
    """
    return layout | count_subjects(manifest, layout) | {"other_scale": has_other_scale(layout, smears)}


def has_other_scale(layout: dict[str, Any], smears: PackedImages) -> bool:
    """Return whether the images show single cells while the classifiers' own images are not known to.

    Args:
        layout: The layout of the external images.
        smears: The packed images that the classifiers were trained and tested on.
    """
    return layout["scale"] == layouts.CELLS and layouts.get(smears.layout).scale != layouts.CELLS


def count_subjects(manifest: pd.DataFrame, layout: dict[str, Any]) -> dict[str, Any]:
    """Count the accepted images per subject, or per other unit that file names contain.

    Args:
        manifest: The manifest of the external images.
        layout: The layout, for the unit in file names.

    Returns:
        ``scale``, ``interval_unit``, ``subjects``, and the fewest, median and most images per subject; the last four
        are ``None`` if file names contain no unit.
    """
    names = ("fewest", "median", "most")
    facts = {"scale": layout["scale"] or "not known"}
    if not layout["unit"]:
        none = {"subjects": None} | {f"{name}_images_a_subject": None for name in names}
        return facts | {"interval_unit": "image"} | none
    counts = manifest.loc[manifest["status"] == ACCEPTED, "named_group"].value_counts()
    sizes = counts.agg(["min", "median", "max"])
    return (
        facts
        | {"interval_unit": layout["unit"], "subjects": len(counts)}
        | {f"{name}_images_a_subject": float(size) for name, size in zip(names, sizes, strict=True)}
    )


def _label(checked: pd.DataFrame, mapping: dict[str, Any]) -> pd.DataFrame:
    return checked.assign(label=checked["label"].map(mapping["by_folder"]))


def _group_by_name(manifest: pd.DataFrame, layout: str) -> pd.DataFrame:
    """Put the images of each subject, and their copies, into one group."""
    named = layouts.name_groups(layout, manifest["image_id"], manifest.index)
    return manifest.assign(named_group=named, group=merge_groups(named.fillna(manifest["group"]), manifest["group"]))


def _warn_of_missing(labelled: pd.DataFrame, mapping: dict[str, Any]) -> pd.DataFrame:
    missing = set(mapping["class_names"]) - set(labelled.loc[labelled["status"] == ACCEPTED, "label"])
    if missing:
        names = ", ".join(name for name in mapping["class_names"] if name in missing)
        logger.warning("There are no external images of %s: figures that need them are undefined", names)
    return labelled
