"""What loads a reader, or all models, knows which cells were found before."""

from pathlib import Path

import pytest
import yaml

from cell_models import make_classifier, make_reader
from leukoscope.datasets import ClassifierDataset, SecondReaderDataset, TrainedModelsDataset


@pytest.mark.parametrize("dataset", [SecondReaderDataset, None])
def test_cells_that_were_found_are_known_to_what_is_loaded(dataset, tmp_path):
    cells = tmp_path / "cells.db"
    if dataset:
        dataset(filepath=str(tmp_path / "reader")).save(make_reader())
        loaded = dataset(filepath=str(tmp_path / "reader"), cells=str(cells)).load().classifier
    else:
        ClassifierDataset(filepath=str(tmp_path / "own/model.keras")).save(make_classifier())
        loaded = TrainedModelsDataset(path=str(tmp_path), cells=str(cells)).load()["own"]()
    assert loaded.cache.file == cells


def test_the_catalog_names_them():
    catalog = yaml.safe_load((Path(__file__).parents[2] / "conf/base/catalog_reader.yml").read_text())
    named = (catalog["trained_models"], catalog["trained_models_if_any"]["dataset"], catalog["reader"])
    for entry in named:
        assert entry["cells"].endswith("02_intermediate/cells.db")
        assert entry["measurements"].endswith("04_feature/measurements.db")
