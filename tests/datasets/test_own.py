"""What a run loads is what it saved, or it is refused: another run may have saved to the same place meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import pandas as pd
import pytest
from kedro.io import AbstractDataset
from kedro_datasets import json
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.datasets import (
    BinaryDataset,
    ClassifierDataset,
    CSVDataset,
    FigureDataset,
    JSONDataset,
    OpinionsDataset,
    OptionalDataset,
    PackedImagesDataset,
    ParquetDataset,
    PartitionedDataset,
    SecondReaderDataset,
    TextDataset,
)
from leukoscope.images.decoding import Limits
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_any, open_source
from leukoscope.models.network import Classifier
from leukoscope.reader.reading import ReadingPlan
from tiny_reader import encode, make_reader, shade, vary

CLASSES = ("Benign", "Early")


def table(tmp_path, number):
    return pd.DataFrame({"a": [number]})


def figure(tmp_path, number):
    from matplotlib.figure import Figure

    drawn = Figure()
    drawn.text(0, 0, str(number))
    return drawn


def plan(tmp_path, number):
    for name in CLASSES:
        folder = tmp_path / f"raw-{number}/{name}"
        if not folder.exists():
            folder.mkdir(parents=True)
            Image.fromarray(vary(shade(50 + number))).save(folder / "a.png")
    return PackingPlan(open_source(tmp_path / f"raw-{number}"), CLASSES, 32, Limits(16, 10_000, 10_000))


def classifier(tmp_path, number):
    keras.utils.set_random_seed(number)
    inputs = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(inputs)
    return Classifier(keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(features)), CLASSES)


def reading(tmp_path, number):
    folder = tmp_path / f"raw-{number}"
    if not folder.exists():
        folder.mkdir()
        (folder / f"{number}.png").write_bytes(encode(shade(100)))
    reader = make_reader()
    return ReadingPlan(reader, PackingPlan(open_any(folder), None, reader.image_size, reader.limits))


def optional(filepath):
    return OptionalDataset(dataset={"type": "leukoscope.datasets.JSONDataset", "filepath": filepath})


def partitions(filepath):
    return PartitionedDataset(path=filepath, dataset="leukoscope.datasets.JSONDataset", filename_suffix=".json")


KINDS = {
    "csv": (CSVDataset, table),
    "parquet": (ParquetDataset, table),
    "json": (JSONDataset, lambda _, number: {"a": number}),
    "text": (TextDataset, lambda _, number: f"text {number}"),
    "bytes": (BinaryDataset, lambda _, number: bytes([number])),
    "figure": (FigureDataset, figure),
    "optional": (optional, lambda _, number: {"a": number}),
    "partitions": (partitions, lambda _, number: {"a": {"a": number}}),
    "smears": (PackedImagesDataset, plan),
    "classifier": (ClassifierDataset, classifier),
    "reader": (SecondReaderDataset, lambda _, number: make_reader(threshold=number / 10)),
    "opinions": (OpinionsDataset, reading),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    """A data set and another of the same place, as of two runs, and what makes something to save of a number."""
    make, content = KINDS[request.param]
    place = str(tmp_path / "place/model.keras")
    return make(filepath=place), make(filepath=place), lambda number: content(tmp_path, number)


def test_what_another_run_has_saved_since_is_refused(kind):
    ours, theirs, content = kind
    ours.save(content(1))
    ours.load()
    theirs.save(content(2))
    with pytest.raises(InputError, match=r"another run has .*Run this command again once the other has ended"):
        ours.load()
    with pytest.raises(InputError, match="another run has"):
        ours.require_own()
    theirs.load()
    ours.save(content(3))
    ours.load()


def test_what_is_gone_is_refused(kind, tmp_path):
    import shutil

    ours, _, content = kind
    ours.save(content(1))
    shutil.rmtree(tmp_path / "place")
    with pytest.raises(InputError, match="another run has replaced or removed it"):
        ours.load()


@pytest.mark.parametrize("name", ["csv", "parquet", "json", "text", "bytes", "figure", "smears", "reader", "opinions"])
def test_the_same_content_of_another_run_will_do(name, tmp_path):
    make, content = KINDS[name]
    ours, theirs = (make(filepath=str(tmp_path / "place/model.keras")) for _ in range(2))
    ours.save(content(tmp_path, 1))
    theirs.save(content(tmp_path, 1))
    ours.require_own()
    ours.load()


def test_what_is_replaced_while_it_is_loaded_is_refused(tmp_path, monkeypatch):
    ours, theirs = (JSONDataset(filepath=str(tmp_path / "file.json")) for _ in range(2))
    ours.save({"a": 1})
    load = json.JSONDataset.load

    def load_late(self):
        if self is ours:
            theirs.save({"a": 2})
        return load(self)

    monkeypatch.setattr(json.JSONDataset, "load", load_late)
    with pytest.raises(InputError, match="another run has"):
        ours.load()


def test_a_run_that_saved_nothing_loads_what_is_there(kind):
    ours, theirs, content = kind
    theirs.save(content(1))
    assert isinstance(ours, AbstractDataset)
    ours.load()
    theirs.save(content(2))
    ours.load()


@pytest.mark.parametrize("name", ["csv", "parquet", "json", "text", "bytes"])
def test_two_saves_at_once_end_well_and_each_loads_its_own_or_nothing(name, tmp_path):
    make, content = KINDS[name]
    datasets = [make(filepath=str(tmp_path / "file")) for _ in range(2)]
    together = threading.Barrier(2)

    def save_and_load(number):
        together.wait()
        datasets[number].save(content(tmp_path, number))
        try:
            return datasets[number].load()
        except InputError:
            return None

    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            loaded = list(pool.map(save_and_load, range(2)))
            for number, one in enumerate(loaded):
                expected = content(tmp_path, number)
                assert one is None or (one.equals(expected) if isinstance(one, pd.DataFrame) else one == expected)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_leftovers_of_killed_runs_are_no_partitions(tmp_path):
    dataset = partitions(str(tmp_path))
    dataset.save({"a": {"b": 1}})
    (tmp_path / "unfinished-c.0123abcd-1-00000000.json").write_text("{")
    assert {name: load() for name, load in partitions(str(tmp_path)).load().items()} == {"a": {"b": 1}}


def test_partitions_that_replace_all_earlier_ones_are_written_by_one_run_at_a_time(tmp_path):
    from leukoscope.core.storage import hold

    dataset = PartitionedDataset(path=str(tmp_path / "all"), dataset="leukoscope.datasets.TextDataset", overwrite=True)
    dataset.save({"a": "1", "b": "2"})
    with hold(tmp_path / "all"), pytest.raises(InputError, match="Another run"):
        dataset.save({"c": "3"})
    dataset.save({"c": lambda: "3"})
    assert {name: load() for name, load in dataset.load().items()} == {"c": "3"}
