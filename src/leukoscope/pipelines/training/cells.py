"""Train a network that reads single cells: the differences from networks that read whole fields."""

import json
from dataclasses import replace
from typing import Any

import pandas as pd

from leukoscope.cells.fitting import require_fitting, require_packed
from leukoscope.cells.strips import CellStrips, Cutting
from leukoscope.core.cache import ContentCache
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import nodes
from leukoscope.training.augmentation_options import ResolvedAugmentation
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import TrainingJournal

_SPLITS = ("train", "validation")


def cut_out_strips(
    smears: PackedImages,
    cells: pd.DataFrame,
    cell_size: dict[str, Any],
    splits: pd.DataFrame,
    finding: CellOptions,
    options: ModelOptions,
    seed: int,
) -> CellStrips:
    """Plan a strip of cells for every training and validation field; the data set cuts them when it is saved.

    Args:
        smears: The packed images.
        cells: The table of all cells.
        cell_size: The scale at which cells were found, and the side of their crops.
        splits: The training and validation fields.
        finding: How the cells were found.
        options: The model's entry, for the background of crops and the number of cells per strip.
        seed: Random seed for sampling cells of fields that have more than this number.

    Raises:
        InputError: The cells or the splits come from other images, or no training field has a cell.
    """
    names = splits.loc[splits["split"].isin(_SPLITS), "image_id"]
    require_packed(smears, names)
    require_fitting(cells, cell_size, smears, splits.loc[splits["split"] == "train", "image_id"])
    records = smears.records.set_index("image_id", drop=False).loc[names].reset_index(drop=True)
    cutting = Cutting(finding.detector, cell_size["diameter"], cell_size["crop"], options.background)  # type: ignore[attr-defined]
    return CellStrips(smears.pixels, smears.rows(names), records, cells, cutting, options.bag, seed)  # type: ignore[attr-defined]


def prepare_training(
    recipe: dict[str, Any],
    augmentation: ResolvedAugmentation,
    class_names: list[str],
    strips: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    splitting: SplittingOptions,
    seed: int,
) -> dict[str, Any]:
    """Collect everything that determines a training, so that it can be started or recognised as finished.

    Args:
        recipe: The architecture and the recipe in force.
        augmentation: The random augmentation of each cell.
        class_names: The classes in order.
        strips: The cells of each field.
        training_plan: The fields shown in an epoch.
        splits: Which fields are in the validation split.
        splitting: Provides the name of the split.
        seed: Random seed of the training.

    Returns:
        The key of the training: a network's key, with how the cells were found and the hash of their strips.
    """
    key = nodes.prepare_training(recipe, augmentation, class_names, strips, training_plan, splits, splitting, seed)
    facts = json.loads(strips.identity)["cells"]
    key["data"] |= {"size": facts.pop("field"), "cells": facts | {"strips": strips.fingerprint}}
    return key


def train_classifier(
    journal: TrainingJournal,
    software: dict[str, Any],
    strips: PackedImages,
    training_plan: pd.DataFrame,
    splits: pd.DataFrame,
    options: ModelOptions,
    known_cells: ContentCache,
    teaching: pd.DataFrame | None = None,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Train the classifier that a journal's key describes.

    Args:
        journal: The started training.
        software: Versions and the commit, recorded when the training begins.
        strips: The cells of each field.
        training_plan: The fields shown in an epoch, how often and with what weight.
        splits: Which fields are in the validation split.
        options: The model's entry, for its name.
        known_cells: The cache of found cells; vectors of a frozen encoder are cached beside it.
        teaching: The teacher's predictions on the fields, if there is a teacher.

    Returns:
        The classifier, its history (one row per epoch) and the summary of its training.
    """

    def make(key: dict[str, Any]) -> nodes.Training:
        trainer = nodes.make_trainer(journal, key, strips, training_plan, splits, options.name, None, teaching)
        return replace(trainer, known=known_cells)

    return nodes.finish_training(journal, software, training_plan, make)
