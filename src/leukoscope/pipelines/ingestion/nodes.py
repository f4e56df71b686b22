"""Nodes of the ingestion pipeline."""

import logging
from functools import partial

import pandas as pd

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.counts import count_of
from leukoscope.figures import Figure
from leukoscope.images import layout as layouts
from leukoscope.images.decoding import Limits
from leukoscope.images.manifest import describe_shortfalls, make_manifest, require_accepted, summarise
from leukoscope.images.origin import PUBLISHED_COUNTS, Origin
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.relabelling import relabel
from leukoscope.images.source import ImageSource
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.reporting.options import DataSheetOptions

logger = logging.getLogger(__name__)


def decode_images(
    raw_images: ImageSource, class_names: list[str], options: IngestionOptions, cluster: ClusterOptions
) -> PackingPlan:
    """Plan the decoding of all images, which the data set carries out when the plan is saved.

    Args:
        raw_images: Where the images are.
        class_names: The names of the class folders.
        options: How images become samples.
        cluster: The cluster whose workers decode, if there is one.

    Raises:
        InputError: The source has no class folders, several sets of them, or an empty one; or its layout is not the
            one in ``options``.
    """
    layout = layouts.recognise(raw_images, options.layout, "ingestion.layout")
    return plan_packing(raw_images, layout, class_names, options, cluster)


def plan_packing(
    source: ImageSource,
    layout: layouts.Layout,
    class_names: list[str],
    options: IngestionOptions,
    cluster: ClusterOptions,
) -> PackingPlan:
    """Plan the decoding of images whose layout is known; for the arguments see ``decode_images``."""
    limits = Limits(options.min_side, options.max_pixels, options.max_bytes)
    plan = PackingPlan(
        layout.open(source),
        tuple(class_names),
        options.image_size,
        limits,
        options.workers,
        cluster,
        layout.name,
    )
    logger.info("Found %s at %s", count_of(len(plan.files), "file"), source.root)
    return plan


def build_manifest(
    smears: PackedImages,
    label_table: pd.DataFrame | None,
    class_names: list[str],
    options: IngestionOptions,
    cluster: ClusterOptions,
) -> pd.DataFrame:
    """Accept or quarantine every file found, and group duplicates.

    Args:
        smears: The packed images.
        label_table: The user's labels, if any, which replace those of the folders.
        class_names: The classes in order.
        options: The threshold for near-duplicates.
        cluster: The cluster whose workers compare many images, if there is one.

    Raises:
        InputError: A class has no accepted image, the cluster cannot be used, or the table does not match the images.
    """
    records = smears.records if label_table is None else relabel(smears.records, label_table, class_names)
    find = None
    if cluster.is_used:
        from leukoscope.cluster.parts import open_place
        from leukoscope.images.pairs import find_by_parts

        find = partial(find_by_parts, partial(open_place, cluster, smears.folder.parent.absolute()), smears.folder)
    manifest = make_manifest(records, smears.pixels, options.near_duplicate_distance, find)
    require_accepted(manifest, class_names)
    return manifest.assign(named_group=layouts.name_groups(smears.layout, manifest["image_id"], manifest.index))


def report_ingestion(
    manifest: pd.DataFrame, class_names: list[str], options: IngestionOptions, known: DataSheetOptions
) -> pd.DataFrame:
    """Count the files of each class, and log important findings.

    Args:
        manifest: Every file found.
        class_names: The classes in order.
        options: The expected number of files per class.
        known: Whether the user states that these are the published images.

    Raises:
        InputError: The user states it, but the images were drawn.
    """
    origin = Origin.trace(manifest)
    published = PUBLISHED_COUNTS if known.is_published(origin) else None
    report = summarise(manifest, class_names, options.expected_counts or published)
    logger.info("Origin of the images: %s", origin.describe(known.published))
    total = report.set_index("label").loc["total"]
    logger.info(
        "%s found: %d accepted, %d quarantined, %s (%d identical, %d near)",
        count_of(total["found"], "file"),
        *total[["accepted", "quarantined"]],
        count_of(total["duplicates"], "duplicate"),
        *total[["identical", "near"]],
    )
    if total["relabelled"]:
        labels = count_of(total["relabelled"], "label is that", "labels are those")
        logger.info("%s of the table of labels, and not of the folders", labels)
    for line in describe_shortfalls(report, manifest):
        logger.warning(line)
    return report


def plot_ingestion(manifest: pd.DataFrame, report: pd.DataFrame) -> Figure:
    """Plot the number of samples per class."""
    from leukoscope.figures.ingestion import draw_counts

    return draw_counts(manifest, report)


def plot_montage(smears: PackedImages, manifest: pd.DataFrame, class_names: list[str]) -> Figure:
    """Draw some smears of each class."""
    from leukoscope.figures.ingestion import draw_montage

    return draw_montage(smears, manifest, class_names)
