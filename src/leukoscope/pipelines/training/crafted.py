"""Train a classifier on hand-crafted measurements."""

import logging
from typing import Any

import pandas as pd

from leukoscope.cells.fitting import require_fitting
from leukoscope.cells.measuring import FORMAT as FORMAT_OF_FOUND
from leukoscope.cells.measuring import FoundCells
from leukoscope.cells.strips import Cutting
from leukoscope.core.errors import DamageError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.features.fields import FORMAT
from leukoscope.features.measuring import MeasurementStore
from leukoscope.images.packed import PACKED_FORMAT, PackedImages
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import NO_EPOCHS, TrainingJournal

logger = logging.getLogger(__name__)


def take_found_cells(
    smears: PackedImages, cells: pd.DataFrame, cell_size: dict[str, Any], splits: pd.DataFrame, finding: CellOptions
) -> FoundCells:
    """Take the cells that the pipeline `cells` found in the training and validation images.

    Args:
        smears: The packed images.
        cells: The table of all cells.
        cell_size: The scale at which they were found.
        splits: The training and validation fields.
        finding: How the cells were found.

    Raises:
        InputError: The cells come from other images, or no training field has a cell.
    """
    require_fitting(cells, cell_size, smears, splits.loc[splits["split"] == "train", "image_id"])
    names = splits.loc[splits["split"].isin(["train", "validation"]), "image_id"]
    cutting = Cutting(finding.detector, cell_size["diameter"], cell_size["crop"], "neutral")
    return FoundCells(cells[cells["image_id"].isin(names)].reset_index(drop=True), cutting)


def prepare_training(
    recipe: dict[str, Any],
    augmentation: AugmentationOptions,
    class_names: list[str],
    smears: PackedImages,
    splits: pd.DataFrame,
    splitting: SplittingOptions,
    seed: int,
    found: FoundCells | None = None,
) -> dict[str, Any]:
    """Collect everything that determines a training, so that it can be started or recognised as finished.

    Args:
        recipe: The recipe in force.
        augmentation: Whether classes are weighted equally; images are measured unchanged.
        class_names: The classes in order.
        smears: The packed images.
        splits: Which images are in the training split, and their groups.
        splitting: Provides the name of the split.
        seed: Random seed of the training.
        found: The cells to measure; ``None`` for the classifier's own segmentation.

    Returns:
        The key of the training, and the name of the ``split``.
    """
    from leukoscope.training.crafted import describe_key

    hashes = smears.records.set_index("image_id")["sha256"]
    train = splits.loc[splits["split"] == "train", ["image_id", "label", "group"]]
    images = fingerprint_table(train.assign(sha256=train["image_id"].map(hashes)))
    data = {"images": images, "size": smears.pixels.shape[1], "format": PACKED_FORMAT, "measurements": FORMAT}
    if found is not None:
        data |= {
            "measurements": FORMAT_OF_FOUND,
            "cells": found.cutting.describe() | {"table": _hash_cells(found, train)},
        }
    balanced = augmentation.balance != "none"
    key = describe_key(recipe, balanced, class_names, fingerprint_table(splits), data, seed)
    return key | {"split": splitting.split_name}


def _hash_cells(found: FoundCells, train: pd.DataFrame) -> str:
    """Hash the masks of the cells to measure in the training images."""
    training_cells = found.table[found.table["image_id"].isin(train["image_id"])]
    return fingerprint_table(training_cells[["image_id", "cell", "mask", "nucleus_mask"]])


def train_classifier(
    journal: TrainingJournal,
    software: dict[str, Any],
    smears: PackedImages,
    splits: pd.DataFrame,
    measurements: MeasurementStore,
    options: ModelOptions,
    found: FoundCells | None = None,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Fit the classifier that a journal's key describes, or load it from the journal if already fitted.

    Args:
        journal: The started training.
        software: Versions and the commit, recorded when the training begins.
        smears: The packed images.
        splits: Which images are in the training split, and their groups.
        measurements: The cache of earlier measurements of fields.
        options: The model's entry, for its name.
        found: The cells to measure, if not those of the classifier's own segmentation.

    Returns:
        The classifier, its history (empty, since there are no epochs) and the summary of its training.
    """
    from leukoscope.training.crafted import describe_training, fit_classifier

    name = options.name
    with journal.hold():
        key = journal.key  # raises if another run has started a different training since
        classifier = _recall(journal, measurements, name)
        if classifier is None:
            journal.record_origin(key["engine"] | software | {"seed": str(key["seed"])})
            classifier, facts = fit_classifier(key, smears, splits, measurements, name, found)
            journal.finish_with_folder(facts, classifier.save)
        journal.record_model(classifier.fingerprint)
    summary = journal.summary() | describe_training(key, splits) | {"provenance": journal.origin}
    return classifier, pd.DataFrame(columns=NO_EPOCHS), summary


def _recall(journal: TrainingJournal, measurements: MeasurementStore, name: str) -> Any:
    """Load the classifier of a finished training; return ``None`` if there is none, or it cannot be read."""
    from leukoscope.models.stored import Known, find_classifier, load_classifier

    if not (journal.finished and find_classifier(journal.folder).is_file()):
        return None
    try:
        classifier = load_classifier(journal.folder, Known(measurements))
    except DamageError as error:
        logger.warning("%s is fitted anew: %s", name, error)
        return None
    logger.info("%s: fitted before with the same images and seed, not fitted again", name)
    return classifier
