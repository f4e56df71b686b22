"""Trainings on strips of single cells, by the nodes of the pipeline."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import tiny_backbone as tiny
from cell_models import CROP, DIAMETER, make_fields
from conftest import CLASS_NAMES
from leukoscope.cells.finding import find_cells
from leukoscope.cells.table import tabulate_cells
from leukoscope.core.cache import ContentCache
from leukoscope.datasets import CellStripsDataset
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import cells as nodes
from leukoscope.pipelines.training.nodes import resolve_augmentation, resolve_recipe
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns

SHARED = Recipe(
    weights="none", input_size=24, batch_size=8, epochs=2, learning_rate=3e-3, dropout=0.1, precision="float32"
)
SIZE = {"diameter": DIAMETER, "crop": CROP, "field": 96}


@cache
def make_table() -> pd.DataFrame:
    """Find the cells of the fields."""
    fields = make_fields()
    return tabulate_cells(fields.records, find_cells(fields.pixels, np.arange(48), "classical", DIAMETER))


def make_entry(**values) -> ModelOptions:
    return ModelOptions.model_validate({"name": "own", "kind": "cells", "architecture": tiny.NAME, "bag": 4} | values)


class Trainings:
    """Trainings of one folder.

    Args:
        folder: Where strips and runs are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._runs = folder, TrainingRuns(folder / "own")
        self._known = ContentCache(folder / "cells.db")

    def gather(self, shared=SHARED, size=SIZE, finding=None, splits=None, seed=7, drawn=None, **entry) -> dict:
        """Gather what the preparation takes; the strips are made."""
        fields, options = make_fields(), make_entry(**entry)
        splits = fields.splits if splits is None else splits
        finding = finding or CellOptions()
        dataset = CellStripsDataset(filepath=(self._folder / "strips").as_posix())
        dataset.save(nodes.cut_out_strips(fields, make_table(), size, splits, finding, options, seed))
        recipe = resolve_recipe(shared, options)
        augmentation = resolve_augmentation(drawn or AugmentationOptions(), options, recipe, CLASS_NAMES, splits, None)
        plan = splits[splits["split"] == "train"].assign(repeats=1, weight=1.0)
        facts = {"recipe": recipe, "augmentation": augmentation, "class_names": CLASS_NAMES, "strips": dataset.load()}
        return facts | {"training_plan": plan, "splits": splits, "splitting": SplittingOptions(), "seed": seed}

    def train(self, teaching=None, **changed):
        """Train, or go on; gives what the node gives, and the journal."""
        facts = self.gather(**changed)
        journal = self._runs.start(nodes.prepare_training(**facts)).journal
        taken = (facts["strips"], facts["training_plan"], facts["splits"], make_entry(), self._known, teaching)
        return *nodes.train_classifier(journal, {"kedro": "1"}, *taken), journal


def measure_accuracy(classifier) -> float:
    fields = make_fields()
    with_cells = np.flatnonzero(fields.counts)
    predicted = classifier.predict(fields.pixels, with_cells).probabilities.argmax(axis=1)
    return (np.array(CLASS_NAMES)[predicted] == fields.splits["label"].to_numpy()[with_cells]).mean()
