"""Train a network that reads single cells: what differs from networks of whole fields."""

import json
from typing import Any

import pandas as pd

from leukoscope.cells.fitting import require_fitting, require_packed
from leukoscope.cells.strips import CellStrips, Cutting
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import nodes
from leukoscope.training.augmentation_options import ResolvedAugmentation
from leukoscope.training.entry import ModelOptions

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
    """Plan a strip of cells for every field that trains or validates; the data set makes them when it is saved.

    Args:
        smears: The packed images.
        cells: The table of all cells.
        cell_size: At what scale they were found, and the side of their crops.
        splits: Which fields train and validate.
        finding: What found the cells.
        options: The model's entry: what is around a cell, and how many cells a strip has.
        seed: For drawing cells of a field that has more.

    Raises:
        InputError: The cells or the splits are of other images, or no field that trains has a cell.
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
    """Gather everything that determines a training, so that it is started, or found to be finished.

    Args:
        recipe: The architecture and the recipe in force.
        augmentation: What is drawn for each cell.
        class_names: The classes in order.
        strips: The cells of each field.
        training_plan: Which fields an epoch sees.
        splits: Which fields validate.
        splitting: Names the split.
        seed: For everything random in training.

    Returns:
        The key of the training: that of a network, with how the cells came about and the hash of their strips.
    """
    key = nodes.prepare_training(recipe, augmentation, class_names, strips, training_plan, splits, splitting, seed)
    facts = json.loads(strips.identity)["cells"]
    key["data"] |= {"size": facts.pop("field"), "cells": facts | {"strips": strips.fingerprint}}
    return key
