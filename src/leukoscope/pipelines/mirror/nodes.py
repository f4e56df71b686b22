"""Nodes of the mirror pipeline, the audit's counterpart."""

import logging
from collections.abc import Callable
from typing import Any

import pandas as pd

from leukoscope.figures import Figure
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import Classifier
from leukoscope.pipelines.audit.nodes import climb_ladder
from leukoscope.pipelines.audit.options import AuditOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.entry import ModelOptions

logger = logging.getLogger(__name__)


def describe_by_cells(
    smears: PackedImages, cells: pd.DataFrame, cell_size: dict[str, Any], manifest: pd.DataFrame
) -> pd.DataFrame:
    """Compute features of the accepted images from their cells alone, and from the fields without cells.

    Args:
        smears: The packed images.
        cells: One row per cell.
        cell_size: The size of a typical leukocyte and of the crops.
        manifest: Which images are accepted.

    Returns:
        ``image_id`` and the features of each predictor, one column per feature.

    Raises:
        InputError: The cells come from other images, or there are none.
    """
    from leukoscope.audit import blind, mirror
    from leukoscope.cells.fitting import require_fitting
    from leukoscope.images.grouping import select_accepted

    image_ids = select_accepted(manifest)["image_id"]
    require_fitting(cells, cell_size, smears, image_ids)
    described = mirror.describe_by_cells(smears, cells, image_ids, cell_size["diameter"], cell_size["crop"])
    return blind.tabulate(image_ids, described)


def climb_mirror(
    cell_features: pd.DataFrame,
    manifest: pd.DataFrame,
    smears: PackedImages,
    group_table: pd.DataFrame | None,
    audit: AuditOptions,
    splitting: SplittingOptions,
    seed: int,
) -> pd.DataFrame:
    """Judge predictors that see only cells, or everything but cells, under the protocols of the audit.

    Args:
        cell_features: The result of ``describe_by_cells``.
        manifest: Labels and duplicates.
        smears: The packed images, for their appearance clusters.
        group_table: The user's table of groups, if there is one.
        audit: Parameters of the audit.
        splitting: The number of appearance clusters.
        seed: Random seed.

    Returns:
        A table in the format of the audit's ladder.
    """
    return climb_ladder(cell_features, manifest, smears, group_table, audit, splitting, seed, features={})


def blank_cells(
    smears: PackedImages,
    cells: pd.DataFrame,
    cell_size: dict[str, Any],
    manifest: pd.DataFrame,
    trained_models: dict[str, Callable[[], Classifier]] | None,
    models: dict[str, Any],
    audit: AuditOptions,
    features: dict[str, pd.DataFrame],
) -> pd.DataFrame:
    """Predict the test images of each evaluated model again, with their cells painted over.

    Args:
        smears: The packed images.
        cells: One row per cell.
        cell_size: The size of a typical leukocyte.
        manifest: The groups of images.
        trained_models: Functions that load each model's classifier, if there are any.
        models: The entries, for their titles.
        audit: The confidence of the intervals.
        features: The last-layer features of each model, for its test images and its fingerprint.

    Returns:
        One row per model: ``model``, ``title``, ``accuracy`` (on unchanged fields), ``blanked`` (accuracy without
        cells) with its interval ``low`` to ``high``, ``images`` and ``groups``.
    """
    from leukoscope.audit.blanking import judge_blanked, select_test_fields
    from leukoscope.cells.fitting import require_fitting
    from leukoscope.images.grouping import select_accepted

    images = select_accepted(manifest)
    rows = []
    require_fitting(cells, cell_size, smears, images["image_id"])
    for name, features_of_model in features.items():
        if trained_models is None or name not in trained_models:
            continue
        classifier = trained_models[name]()
        title = ModelOptions.model_validate(models[name]).title
        fields = select_test_fields(images, cells, features_of_model)
        if fault := _find_fault(classifier, features_of_model, fields, smears):
            logger.warning("%s is not shown fields without their cells: %s", title, fault)
            continue
        figures = judge_blanked(classifier, smears, cells, fields, cell_size["diameter"], audit.confidence)
        rows.append({"model": name, "title": title, **figures})
    columns = ["model", "title", "accuracy", "blanked", "low", "high", "images", "groups"]
    return pd.DataFrame(rows, columns=columns)


def _find_fault(
    classifier: Classifier, features: pd.DataFrame, fields: pd.DataFrame, smears: PackedImages
) -> str | None:
    """Return why a model cannot be judged, or ``None``."""
    if set(features["model"]) != {classifier.fingerprint}:
        return "it was trained again since it was evaluated"
    if classifier.image_size != smears.pixels.shape[1]:
        return f"it was trained on squares of {classifier.image_size} pixels, and those packed have another side"
    return "none of its test images is here with cells" if fields.empty else None


def describe_mirror(
    mirror_table: pd.DataFrame, blanked_table: pd.DataFrame, manifest: pd.DataFrame, audit: AuditOptions
) -> str:
    """Describe in words what cells alone reveal, and what networks know without them.

    Args:
        mirror_table: The ladder.
        blanked_table: One row per model.
        manifest: The true classes.
        audit: The limit beyond which a network is said to know the class without cells.
    """
    from leukoscope.audit.mirror_verdict import describe_mirror as describe
    from leukoscope.audit.verdict import Limits
    from leukoscope.images.grouping import select_accepted

    limits = Limits.place(select_accepted(manifest)["label"], audit.warning, audit.alarm)
    text = describe(mirror_table, blanked_table, limits, audit.confidence, fingerprint_manifest(manifest))
    for line in text.splitlines():
        logger.info(line)
    return text


def draw_mirror(mirror_table: pd.DataFrame, manifest: pd.DataFrame) -> Figure:
    """Plot the ladder: the accuracy of each predictor under each protocol, with its interval.

    Args:
        mirror_table: The ladder.
        manifest: The true classes, for the share of the largest class.
    """
    from leukoscope.figures.ladder import draw_ladder
    from leukoscope.images.grouping import select_accepted

    largest = select_accepted(manifest)["label"].value_counts(normalize=True).iloc[0]
    return draw_ladder(mirror_table, float(largest), "What can be told apart by cells alone, and without them")
