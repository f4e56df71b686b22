"""Crafted models that measure the cells which the pipeline cells finds."""

import numpy as np
import pytest

import crafted_models
from cell_models import DIAMETER, make_fields
from conftest import CLASS_NAMES
from leukoscope.cells import classical
from leukoscope.cells.finding import find_cells
from leukoscope.cells.table import tabulate_cells
from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import InputError
from leukoscope.features.measuring import MeasurementStore
from leukoscope.models.stored import Known, list_detectors, load_classifier, write_classifier
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import crafted as nodes
from leukoscope.pipelines.training.nodes import resolve_recipe
from leukoscope.pipelines.training.pipeline import create_pipeline
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns

SIZE = {"diameter": DIAMETER, "crop": 42, "field": 96}


@pytest.fixture(scope="module")
def table():
    fields = make_fields()
    return tabulate_cells(fields.records, find_cells(fields.pixels, np.arange(48), "classical", DIAMETER))


def make_entry(features=("shape",), cells: str = "found"):
    values = {"name": "own", "kind": "crafted", "classifier": "random_forest", "features": features, "cells": cells}
    return ModelOptions.model_validate(values)


@pytest.fixture
def train(tmp_path, table):
    runs, store = TrainingRuns(tmp_path / "own"), MeasurementStore(tmp_path / "measurements.db")

    def train_with(cells=table, finding=None, **entry):
        fields, options = make_fields(), make_entry(**entry)
        found = nodes.take_found_cells(fields, cells, SIZE, fields.splits, finding or CellOptions())
        recipe = resolve_recipe(Recipe(), options)
        facts = (recipe, AugmentationOptions(), CLASS_NAMES, fields, fields.splits, SplittingOptions(), 7)
        journal = runs.start(nodes.prepare_training(*facts, found)).journal
        with crafted_models.quickly():
            taken = (journal, {"kedro": "1"}, fields, fields.splits, store, options, found)
            return *nodes.train_classifier(*taken), journal

    return train_with


def measure_accuracy(classifier) -> float:
    fields = make_fields()
    rows = np.flatnonzero(fields.counts)
    predicted = classifier.predict(fields.pixels, rows).probabilities.argmax(axis=1)
    return (np.array(CLASS_NAMES)[predicted] == fields.splits["label"].to_numpy()[rows]).mean()


@pytest.mark.slow
def test_it_learns_from_the_table_and_finds_cells_where_it_predicts(train, table, tmp_path, monkeypatch):
    classifier, _, summary, _ = train()
    assert measure_accuracy(classifier) > 0.8
    assert "cells that the pipeline cells finds" in summary["description"]
    assert (
        summary["fields_without_cells"] == (make_fields().counts[make_fields().splits["split"] == "train"] == 0).sum()
    )
    assert list_detectors(classifier) == {"classical"}
    write_classifier(classifier, tmp_path)
    loaded = load_classifier(tmp_path, Known(None, ContentCache(tmp_path / "cells.db")))
    assert loaded.fingerprint == classifier.fingerprint
    assert loaded.cutting == classifier.cutting
    pixels = make_fields().pixels
    expected = classifier.predict(pixels)
    again = loaded.predict(pixels)
    assert (again.features == expected.features).all()
    assert again.probabilities == pytest.approx(expected.probabilities)
    larger = pixels[:6].repeat(2, axis=1).repeat(2, axis=2)
    assert loaded.predict(larger).features.shape == expected.features[:6].shape
    monkeypatch.setattr("leukoscope.training.crafted.fit_estimator", None)
    assert train()[0].fingerprint == classifier.fingerprint


@pytest.mark.slow
def test_several_groups_are_weighed_by_validation_fields(train):
    classifier, _, summary, _ = train(features=("shape", "colour"))
    assert set(summary["validation_accuracy_lost_by_shuffling"]) == {"shape", "colour"}
    assert measure_accuracy(classifier) > 0.8


@pytest.mark.slow
def test_other_cells_are_another_training(train, table):
    one, two = train()[3], train(cells=table[table.index != 0])[3]
    assert one.folder != two.folder
    assert train(finding=CellOptions(detector="own:find"))[3].folder not in (one.folder, two.folder)


def test_where_its_own_cells_are_measured_the_key_is_as_before():
    shared = Recipe()
    assert make_entry(cells="own").describe_recipe(shared) == {
        "kind": "crafted",
        "recipe": {"classifier": "random_forest", "features": ("shape",)},
    }
    assert make_entry().describe_recipe(shared)["cells"] == "found"


def test_cells_of_another_version_are_refused(train, tmp_path, monkeypatch):
    write_classifier(train()[0], tmp_path)
    monkeypatch.setattr(classical, "FORMAT", 99)
    with pytest.raises(InputError, match="another version of Leukoscope found"):
        load_classifier(tmp_path)


def test_cells_of_other_images_train_nothing(table):
    fields = make_fields()
    with pytest.raises(InputError, match="cells are of other images"):
        nodes.take_found_cells(
            fields, table.assign(image_id="x/" + table["image_id"]), SIZE, fields.splits, CellOptions()
        )


def test_the_pipeline_takes_the_cells_only_where_they_are_measured():
    own, found = (create_pipeline("crafted", found=found) for found in (False, True))
    assert not {"cells", "cell_size"} & own.inputs()
    assert {"cells", "cell_size", "params:cells"} <= found.inputs()
