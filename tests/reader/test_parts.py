"""Readers that workers load by themselves, and data sets that hand work to a cluster."""

from contextlib import nullcontext
from dataclasses import replace

import pandas as pd
import pytest

from leukoscope.cluster import parts as cluster_parts
from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.datasets import OpinionsDataset, PackedImagesDataset
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_any, open_source
from leukoscope.reader import parts, reading
from leukoscope.reader.parts import ReaderFiles
from leukoscope.reader.reading import ReadingPlan
from made_parts import LIMITS, SIZE, BrightReader, Here, make_fields, read_by
from tiny_reader import BRIGHTNESS, encode, make_reader, shade


@pytest.fixture(scope="module")
def reader():
    return make_reader()


@pytest.fixture
def files(reader, tmp_path) -> ReaderFiles:
    (tmp_path / "reader").mkdir()
    reader.save(tmp_path / "reader")
    return ReaderFiles.find(reader, tmp_path / "reader", tmp_path / "engine")


@pytest.fixture(autouse=True)
def _forget_readers():
    yield
    parts._load_once.cache_clear()


@pytest.fixture
def here(monkeypatch) -> Here:
    """Takes the place of a cluster."""
    here = Here()
    monkeypatch.setattr(cluster_parts, "open_place", lambda options, data: nullcontext(here))
    return here


def test_a_place_whose_workers_are_yet_to_come_is_a_place(monkeypatch, tmp_path):
    monkeypatch.setattr(Here, "__len__", lambda self: 0)
    raw, place = make_fields(tmp_path / "raw", 8), Here()
    assert read_by(place, raw, tmp_path / "spread") == read_by(None, raw, tmp_path / "alone")
    assert [part.size for part in place.sent] == [9]


def test_a_worker_loads_the_reader_that_is_meant(files, reader):
    loaded = files.load()
    assert loaded.fingerprint == reader.fingerprint
    assert loaded.engine_title == "Keras"


def test_a_worker_that_does_not_see_the_reader_says_so(files, tmp_path):
    with pytest.raises(
        InputError, match=r"There is no .*elsewhere here: `data` must be one folder that all workers see"
    ):
        replace(files, reader=tmp_path / "elsewhere").load()


def test_another_reader_is_refused(files):
    with pytest.raises(
        InputError, match=r"holds the reader .*, and the run began with 0000: another run has replaced it"
    ):
        replace(files, fingerprint="0000").load()


def test_a_worker_without_the_engine_says_so(files):
    with pytest.raises(
        InputError, match=r"Keras would answer here, and ONNX Runtime where the run began: install the sa"
    ):
        replace(files, engine_title="ONNX Runtime").load()


def test_a_worker_has_the_backend_of_the_run(files, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(
        InputError, match=r"KERAS_BACKEND is tensorflow here and jax where the run began: start all work"
    ):
        replace(files, backend="jax").load()
    assert replace(files, backend="tensorflow").load().fingerprint == files.fingerprint


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / f"raw/{number}.png").write_bytes(encode(shade(BRIGHTNESS[number % 4])))
    return tmp_path / "raw"


@pytest.mark.parametrize("cluster", [None, ClusterOptions(), ClusterOptions(workers=2)], ids=["none", "unused", "used"])
def test_opinions_are_read_by_a_cluster_only_where_one_is_given(
    files, reader, folder, tmp_path, here, cluster, monkeypatch
):
    monkeypatch.setattr(reading, "_PART", 4)
    plan = ReadingPlan(reader, PackingPlan(open_any(folder), None, reader.image_size, reader.limits, None, cluster))
    given = {"reader": str(files.reader), "engine": str(files.engine)}
    OpinionsDataset(filepath=str(tmp_path / "by/opinions.parquet"), **given).save(plan)
    assert len(here.sent) == (2 if cluster and cluster.is_used else 0)
    alone = ReadingPlan(reader, PackingPlan(open_any(folder), None, reader.image_size, reader.limits))
    OpinionsDataset(filepath=str(tmp_path / "alone/opinions.parquet")).save(alone)
    for name in ("opinions.parquet", "opinions.csv"):
        assert (tmp_path / "by" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_run_that_one_process_began_is_ended_by_a_cluster(files, reader, folder, tmp_path, here, monkeypatch):
    monkeypatch.setattr(reading, "_PART", 2)
    packing = PackingPlan(open_any(folder), None, reader.image_size, reader.limits)
    dataset = OpinionsDataset(
        filepath=str(tmp_path / "opinions.parquet"), reader=str(files.reader), engine=str(files.engine)
    )
    dataset.save(ReadingPlan(reader, packing))
    expected = dataset.load()
    first, *_ = sorted((tmp_path / "opinions").glob("part-*"))
    first.unlink()
    dataset.save(ReadingPlan(reader, replace(packing, cluster=ClusterOptions(workers=1))))
    assert [part.task.path for part in here.sent] == [first]
    pd.testing.assert_frame_equal(dataset.load(), expected)
    dataset.save(ReadingPlan(reader, replace(packing, cluster=ClusterOptions(workers=1))))
    assert len(here.sent) == 1  # nothing is left, and no cluster is opened for it


def test_images_are_packed_by_a_cluster_where_one_is_given(tmp_path, here):
    for name in ("Benign", "Pro"):
        make_fields(tmp_path / "raw" / name, 5)
    plan = PackingPlan(open_source(tmp_path / "raw"), ("Benign", "Pro"), SIZE, LIMITS)
    dataset = PackedImagesDataset(filepath=str(tmp_path / "smears"))
    dataset.save(replace(plan, cluster=ClusterOptions(workers=1)))
    assert len(here.sent) == 1
    assert len(dataset.load()) == 10
    assert not (tmp_path / ".smears.shards").exists()
    PackedImagesDataset(filepath=str(tmp_path / "alone")).save(plan)
    assert PackedImages(tmp_path / "alone").identity == PackedImages(tmp_path / "smears").identity


def test_rows_that_two_workers_keep_are_kept_once(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_PART", 100)
    reader = BrightReader()
    raw = make_fields(tmp_path / "raw", 6)
    plan = ReadingPlan(reader, PackingPlan(open_any(raw), None, SIZE, LIMITS))
    table, path = next(plan.read()), reading.name_part(plan, tmp_path, 0)
    for _ in range(2):
        reading.keep_rows(path, table)
    assert len(pd.read_parquet(path)) == 7


def test_a_backend_that_only_the_worker_has_set_is_told_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(InputError, match="KERAS_BACKEND is jax here and not set where the run began"):
        ReaderFiles(tmp_path, tmp_path, "f00", "Keras", None).load()
