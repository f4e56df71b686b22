"""A run that compares models ends with their table; no other does."""

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from leukoscope.datasets import TextDataset
from leukoscope.hooks import ResultsHook


@pytest.fixture
def catalog() -> DataCatalog:
    row = {"title": "VGG16", "test_accuracy": 0.7, "test_macro_f1": 0.7, "test_auc": 0.9, "splits": "a"}
    table = pd.DataFrame([row | {"drawn_images": 0, "accepted_images": 9}])
    return DataCatalog({"comparison": MemoryDataset(table), "colour_baseline": MemoryDataset(None)})


def making(name: str) -> Pipeline:
    return Pipeline([Node(lambda splits: splits, "splits", name, name="make")])


class Tracking:
    """Stands in for the hook of MLflow."""

    def __init__(self, page: str | None) -> None:
        self.last_page = page


def show(pipeline: Pipeline, catalog: DataCatalog, capsys, page: str | None = None) -> list[str]:
    ResultsHook(Tracking(page)).after_pipeline_run(pipeline, catalog)
    return capsys.readouterr().out.splitlines()


def test_the_table_is_shown_by_what_makes_it_only(catalog, capsys):
    assert show(making("differences"), catalog, capsys) == []
    lines = show(making("comparison"), catalog, capsys)
    assert lines[2].startswith("VGG16  0.70")
    assert lines[-1] == "The DAG:     `kedro viz run`, then http://127.0.0.1:4141/?types=nodes"


def test_a_run_ends_with_where_to_look_on(catalog, capsys, tmp_path):
    catalog["comparison_page"] = TextDataset(filepath=str(tmp_path / "comparison.html"))
    both = making("comparison") + Pipeline([Node(lambda splits: splits, "splits", "comparison_page", name="write")])
    lines = show(both, catalog, capsys, "#/compare-runs?runs=x")
    assert lines[-3] == f"The report:  {tmp_path}/comparison.html"
    assert lines[-2] == "The runs:    `kedro mlflow ui`, then http://127.0.0.1:5000/#/compare-runs?runs=x"
    assert show(both, catalog, capsys, "https://server/#/x")[-2] == "The runs:    https://server/#/x"
