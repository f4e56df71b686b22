"""Nodes of the audit pipeline."""

import logging
from itertools import product

import pandas as pd

from leukoscope.figures import Figure
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.images.packed import PackedImages
from leukoscope.images.source import ImageSource
from leukoscope.pipelines.audit.options import AuditOptions
from leukoscope.pipelines.splitting.options import SplittingOptions

logger = logging.getLogger(__name__)


def describe_images(raw_images: ImageSource, smears: PackedImages, manifest: pd.DataFrame) -> pd.DataFrame:
    """Compute features of the accepted images that do not depend on cells.

    Args:
        raw_images: Where the files are, for their size and compression.
        smears: The packed images.
        manifest: Which images are accepted.

    Returns:
        ``image_id`` and the features of each predictor, one column per feature.
    """
    from leukoscope.audit import blind
    from leukoscope.images import grouping

    images = grouping.select_accepted(manifest)
    paths = manifest.set_index("image_id").loc[images["image_id"], "path"]
    features = blind.describe_blindly(smears, images["image_id"])
    return blind.tabulate(images["image_id"], features | {"file": blind.describe_files(raw_images, paths)})


def climb_ladder(
    blind_features: pd.DataFrame,
    manifest: pd.DataFrame,
    smears: PackedImages,
    group_table: pd.DataFrame | None,
    audit: AuditOptions,
    splitting: SplittingOptions,
    seed: int,
    features: dict[str, pd.DataFrame],
) -> pd.DataFrame:
    """Judge cell-blind predictors and each trained model under increasingly strict protocols.

    Args:
        blind_features: Features that do not depend on cells.
        manifest: Labels and duplicates.
        smears: The packed images, for their appearance clusters.
        group_table: The user's table of groups, if there is one.
        audit: Parameters of the audit.
        splitting: The number of appearance clusters.
        seed: Random seed.
        features: The last-layer features of each model, by model name.

    Returns:
        One row per protocol and predictor, as returned by ``Ladder.climb``, with ``data``, the fingerprint of all
        images.
    """
    from leukoscope.audit import blind
    from leukoscope.audit.ladder import Ladder
    from leukoscope.audit.protocols import list_protocols
    from leukoscope.images import grouping

    images = grouping.select_accepted(manifest)
    protocols = list_protocols(images, manifest, smears, group_table, splitting.appearance_clusters, seed)
    classes = tuple(dict.fromkeys(images["label"]))
    ladder = Ladder(classes, audit.folds, audit.trees, audit.confidence, seed, audit.repeats)
    views = blind.split_by_predictor(blind_features)
    tables = [ladder.climb(images, views, protocols)]
    for (name, table), (protocol, groups) in product(features.items(), protocols.items()):
        unseen, seen_by_network = blind.select_unseen(images, groups, table)
        left = images.iloc[unseen].reset_index(drop=True)
        left_groups = groups.iloc[unseen].reset_index(drop=True)
        tables.append(ladder.climb(left, {f"{name}_features": seen_by_network}, {protocol: left_groups}))
    order = list(protocols)
    table = pd.concat(tables).sort_values("protocol", key=lambda names: names.map(order.index), kind="stable")
    by_series = ladder.climb_series(images, views, audit.embargoes)
    return pd.concat([table, by_series], ignore_index=True).assign(data=fingerprint_manifest(manifest))


def judge_audit(audit_table: pd.DataFrame, manifest: pd.DataFrame, options: AuditOptions) -> str:
    """Explain in words what accuracies on these images are worth.

    Args:
        audit_table: The ladder.
        manifest: The true classes.
        options: When to raise a warning or an alarm, and which embargoes were requested.
    """
    from leukoscope.audit import verdict
    from leukoscope.images import grouping

    images = grouping.select_accepted(manifest)
    data = fingerprint_manifest(manifest)
    notes = _explain_lacking(audit_table, images, options)
    limits = options.warning, options.alarm, options.confidence
    outcome, text = verdict.judge(audit_table, images["label"], *limits, data, notes)
    for line in text.splitlines():
        logger.log(logging.INFO if outcome == "no alarm" else logging.WARNING, line)
    return text


def _explain_lacking(audit_table: pd.DataFrame, images: pd.DataFrame, options: AuditOptions) -> list[str]:
    """Explain which embargoes were not judged, and why."""
    from leukoscope.images import series

    judged = set(audit_table.loc[audit_table["protocol"] == "series", "embargo"].dropna().astype(int))
    lacking = [embargo for embargo in options.embargoes if embargo not in judged]
    if not lacking:
        return []
    if lack := series.explain_lack(series.number_files(images), options.folds):
        return [f"Neighbours in file number could not be kept apart: {lack}."]
    return [
        f"Not judged with {embargo} file numbers left out beside the tested fields: some class would not be left in "
        "every fold."
        for embargo in lacking
    ]


def draw_audit(audit_table: pd.DataFrame, manifest: pd.DataFrame) -> Figure:
    """Plot the ladder: the accuracy of each predictor under each protocol, with its interval.

    Args:
        audit_table: The ladder.
        manifest: The true classes, for the share of the largest class.
    """
    from leukoscope.figures import ladder
    from leukoscope.images import grouping

    largest = grouping.select_accepted(manifest)["label"].value_counts(normalize=True).iloc[0]
    title = "What can be told apart without seeing a cell, and by trained networks"
    return ladder.draw_ladder(audit_table, float(largest), title)
