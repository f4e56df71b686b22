from copy import deepcopy

import pandas as pd
import pytest
from matplotlib.figure import Figure

from leukoscope.core.errors import InputError
from leukoscope.datasets import CSVDataset, FigureDataset, JSONDataset, OptionalDataset, ParquetDataset, TextDataset

TABLE = pd.DataFrame({"a": [1, 2]})


@pytest.mark.parametrize(
    ("kind", "data"),
    [(CSVDataset, TABLE), (ParquetDataset, TABLE), (JSONDataset, {"a": 1}), (TextDataset, "text")],
)
def test_files_come_back_and_nothing_is_left_beside_them(kind, data, tmp_path):
    dataset = kind(
        filepath=str(tmp_path / "folder" / "file"), **({"save_args": {"index": False}} if kind is CSVDataset else {})
    )
    assert not dataset.exists()
    dataset.save(data)
    assert dataset.exists()
    loaded = dataset.load()
    assert loaded.equals(data) if isinstance(data, pd.DataFrame) else loaded == data
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]


@pytest.mark.parametrize("kind", [CSVDataset, ParquetDataset, JSONDataset, TextDataset])
def test_what_loads_a_file_can_be_copied(kind, tmp_path):
    """As Kedro does, where a node is given it among what it is to load itself."""
    assert deepcopy(kind(filepath=str(tmp_path / "file")).load).__name__ == "load"


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    dataset = JSONDataset(filepath=str(tmp_path / "file.json"))
    dataset.save({"old": 1})
    with pytest.raises(Exception, match="not JSON serializable"):
        dataset.save({"new": object()})
    assert dataset.load() == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_a_figure_loads_as_its_picture(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(Figure())
    assert dataset.load().startswith(b"\x89PNG")


def test_a_figure_that_was_not_drawn_is_asked_for(tmp_path):
    with pytest.raises(InputError, match=r"There is no .*figure\.png"):
        FigureDataset(filepath=str(tmp_path / "figure.png")).load()


def test_what_is_optional_may_be_missing(tmp_path):
    dataset = OptionalDataset(dataset={"type": "leukoscope.datasets.JSONDataset", "filepath": str(tmp_path / "x.json")})
    assert dataset.load() is None
    dataset.save({"a": 1})
    assert dataset.load() == {"a": 1}


@pytest.mark.parametrize("name", ["0", "01", "1e3", "NA", "nan", "null", "None", "True"])
def test_names_come_back_as_they_were(name, tmp_path):
    dataset = CSVDataset(filepath=str(tmp_path / "table.csv"), text=["label"], save_args={"index": False})
    dataset.save(pd.DataFrame({"label": [name, "total"], "found": [1, None]}))
    loaded = dataset.load()
    assert loaded["label"].tolist() == [name, "total"]
    assert loaded["found"].isna().tolist() == [False, True]
