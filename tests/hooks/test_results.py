"""A run that compares models ends with their table; no other does."""

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from leukoscope.hooks import ResultsHook


@pytest.fixture
def catalog() -> DataCatalog:
    row = {"title": "VGG16", "test_accuracy": 0.7, "test_macro_f1": 0.7, "test_auc": 0.9, "splits": "a"}
    table = pd.DataFrame([row | {"drawn_images": 0, "accepted_images": 9}])
    return DataCatalog({"comparison": MemoryDataset(table), "colour_baseline": MemoryDataset(None)})


def making(name: str) -> Pipeline:
    return Pipeline([Node(lambda splits: splits, "splits", name, name="make")])


def test_the_table_is_shown_by_what_makes_it_only(catalog, capsys):
    ResultsHook().after_pipeline_run(making("differences"), catalog)
    assert capsys.readouterr().out == ""
    ResultsHook().after_pipeline_run(making("comparison"), catalog)
    assert "VGG16  0.70" in capsys.readouterr().out
