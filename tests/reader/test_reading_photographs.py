"""What `predict` makes of photographs of many fields, and of crops."""

import logging
from dataclasses import replace

import pandas as pd
import pytest

from leukoscope.datasets import OpinionsDataset
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_any
from leukoscope.reader.opinion_log import OpinionLog
from leukoscope.reader.reading import ReadingPlan
from tiny_reader import SIZE, ScaleBySize, draw_photograph, encode, make_reader, shade


@pytest.fixture
def dataset(tmp_path) -> OpinionsDataset:
    return OpinionsDataset(filepath=str(tmp_path / "out/opinions.parquet"))


@pytest.fixture
def wide(tmp_path) -> ReadingPlan:
    """A folder with a photograph of many fields, a field and a crop, and the plan to read it."""
    reader = make_reader()
    (tmp_path / "raw").mkdir()
    for name, pixels in (("photograph", draw_photograph()), ("field", shade(100)), ("crop", shade(220, SIZE // 2))):
        (tmp_path / f"raw/{name}.png").write_bytes(encode(pixels))
    packing = PackingPlan(open_any(tmp_path / "raw"), None, SIZE, reader.limits, scale=ScaleBySize())
    return ReadingPlan(reader, packing)


def test_a_photograph_is_read_in_tiles_and_has_one_row_without_an_opinion(wide, dataset, caplog):
    with caplog.at_level(logging.INFO, "leukoscope"):
        dataset.save(wide)
    table = dataset.load().set_index("image_id")
    assert table["scale"].to_dict() == {"crop": 0.5, "field": 1.0, "photograph": 3.0}
    assert table["opinion"].to_dict() == {"crop": "Benign", "field": "Pre", "photograph": "abstained"}
    photograph = table.loc["photograph"]
    assert photograph["reason"] == "a photograph of many fields"
    assert photograph["warning"].startswith("a photograph of many fields: 3.0 times as many")
    assert photograph["probability_early"] == pytest.approx(0.5, abs=0.05)
    assert photograph["probability_pro"] == pytest.approx(0.5, abs=0.05)
    assert pd.isna(photograph["prediction_set"])
    assert table.loc["crop", "warning"].startswith("a crop of a cell or a few")
    assert pd.isna(table.loc["field", "warning"])
    assert caplog.text.count("not of the training images' scale") == 1
    assert "Of 3 images 2 are not" in caplog.text


def test_photographs_are_not_logged_for_monitoring(wide, tmp_path):
    dataset = OpinionsDataset(filepath=str(tmp_path / "out/opinions.parquet"), log=str(tmp_path / "log.db"))
    dataset.save(wide)
    assert len(OpinionLog(tmp_path / "log.db").load()) == 2


def test_a_photograph_that_is_gone_when_its_tiles_are_cut_is_read_another_time(wide, dataset, monkeypatch):
    monkeypatch.setattr(ReadingPlan, "_decode_again", lambda _, paths: ["it is gone"] * len(paths))
    dataset.save(wide)
    photograph = dataset.load().set_index("image_id").loc["photograph"]
    assert (photograph["opinion"], photograph["reason"]) == ("abstained", "not read for now: it is gone")
    monkeypatch.undo()
    dataset.save(wide)
    assert dataset.load().set_index("image_id").loc["photograph", "reason"] == "a photograph of many fields"


def test_what_is_read_depends_on_the_scale_that_is_known(wide):
    assert replace(wide, packing=replace(wide.packing, scale=None)).key != wide.key
