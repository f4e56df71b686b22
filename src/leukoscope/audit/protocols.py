"""The protocols of the audit: which images are held out together."""

import logging

import pandas as pd

from leukoscope.images import grouping
from leukoscope.images.packed import PackedImages

logger = logging.getLogger(__name__)

# With fewer images per cluster than this, clusters hold together little more than duplicates.
_FEW_IMAGES = 5


def list_protocols(
    images: pd.DataFrame,
    manifest: pd.DataFrame,
    smears: PackedImages,
    group_table: pd.DataFrame | None,
    clusters: int,
    seed: int,
) -> dict[str, pd.Series]:
    """List the possible protocols, from the mildest to the strictest.

    Args:
        images: The accepted images.
        manifest: Labels and duplicates.
        smears: The packed images, for their appearance clusters.
        group_table: The user's table of groups, if there is one.
        clusters: Number of appearance clusters.
        seed: Random seed for the clusters.

    Returns:
        The group of each image, by protocol name.
    """
    protocols = {"image": images["image_id"], "duplicate": images["group"]}
    if clusters < len(images):
        protocols["appearance"] = grouping.group_by_appearance(images, smears, clusters, seed)
        if len(images) < _FEW_IMAGES * clusters:
            logger.warning(
                "splitting.appearance_clusters is %d, for %d images: clusters so small hold little more together than "
                "duplicates",
                clusters,
                len(images),
            )
    else:
        logger.warning(
            "splitting.appearance_clusters is %d, as many as there are images or more: none are judged", clusters
        )
    if group_table is not None:
        protocols["table"] = grouping.group_by_table(images, manifest, group_table)
    return protocols
