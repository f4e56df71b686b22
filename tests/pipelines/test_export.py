import json
import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import cell_models
import crafted_models
from leukoscope.core.errors import InputError
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.inference import exporting
from leukoscope.inference.cell_exporting import predict_bags
from leukoscope.pipelines.export import nodes
from leukoscope.pipelines.export.options import ExportOptions
from named_columns import list_unnamed
from tiny_reader import BRIGHTNESS, CLASS_NAMES, make_reader, shade

READER = make_reader()


@pytest.fixture
def held():
    """Twenty validation images and forty of training."""
    labels = np.tile(CLASS_NAMES, 15)
    ids = [f"image {number}" for number in range(60)]
    split = np.where(np.arange(60) < 20, "validation", "train")
    splits = pd.DataFrame({"image_id": ids, "label": labels, "split": split})
    pixels = np.stack([shade(BRIGHTNESS[CLASS_NAMES.index(label)]) for label in labels])
    rows = {name: number for number, name in enumerate(ids)}
    return SimpleNamespace(pixels=pixels, rows=lambda wanted: np.array([rows[one] for one in wanted])), splits


@pytest.fixture
def formats(monkeypatch):
    """Formats whose files hold a number: how much each takes from the first class's probability."""

    def load(content: bytes):
        def predict(images: np.ndarray) -> np.ndarray:
            given = apply_temperature(READER.predictor.predict(images)[0], 1.0)
            given[:, 0] -= float(content)
            return given

        return predict

    table = {"one": exporting.Format("One", ".one", lambda exporter, precision: b"0", load)}
    monkeypatch.setattr(exporting, "FORMATS", table)


def contents(**taken: str) -> dict:
    return {f"mobilenet_v2-{one}.one": lambda one=one: taken.get(one, "0").encode() for one in exporting.PRECISIONS}


def test_each_file_is_written_when_its_turn_comes(held, formats):
    options = ExportOptions(examples=7)
    files = nodes.export_reader(READER, *held, options, seed=0)
    assert set(files) == {f"mobilenet_v2-{one}.one" for one in exporting.PRECISIONS} | {"mobilenet_v2.json"}
    assert all(callable(one) for one in files.values())
    assert json.loads(files["mobilenet_v2.json"]())["class_names"] == list(CLASS_NAMES)


def test_what_keeps_to_keras_is_within(held, formats, caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        table = nodes.check_exports(contents(), READER, *held, ExportOptions(timed_images=8, batch_size=4))
    assert table["file"].tolist() == ["model.keras", *(f"mobilenet_v2-{one}.one" for one in exporting.PRECISIONS)]
    assert list_unnamed("export_table", table) == []
    assert table["accuracy"].tolist() == [1.0] * 4
    assert table["within"].tolist()[1:] == [True] * 3
    assert (table["images_per_second"] > 0).all()
    assert (table[["ms", "cpu_ms"]] > 0).all(axis=None)
    assert table["largest_difference"].max() < 1e-6
    assert caplog.text == ""


def test_what_does_not_is_said_to_be_so(held, formats, caplog):
    given = contents(float32="0.01", float16="0.01", int8="2")
    with caplog.at_level(logging.WARNING, "leukoscope"):
        table = nodes.check_exports(given, READER, *held, ExportOptions(timed_images=8, batch_size=4))
    rows = table.set_index("precision").iloc[1:]
    assert rows["within"].tolist() == [False, True, False]
    assert rows.loc["float32", "points_lost"] == 0  # only the probabilities differ by more than they may
    assert rows.loc["int8", "points_lost"] == 25
    assert rows.loc["int8", "largest_difference"] == pytest.approx(2)
    assert "mobilenet_v2-int8.one loses 25.00 points" in caplog.text
    assert "float16" not in caplog.text


def test_a_kind_that_cannot_be_a_file_is_refused(held):
    fields = crafted_models.make_fields()
    with pytest.raises(InputError, match=r"own cannot be a file for small machines.*reader\.model"):
        nodes.export_reader(crafted_models.make_reader(), fields, fields.splits, ExportOptions(), 1)


@pytest.mark.slow
def test_a_reader_of_cells_is_held_against_keras_on_the_cells_of_the_fields(monkeypatch):
    reader, fields = cell_models.make_reader(), cell_models.make_fields()
    taken = []

    def load(content: bytes):
        def predict(bags: np.ndarray) -> np.ndarray:
            taken.append(bags.shape)
            return predict_bags(reader.classifier, reader.calibration.temperature, bags)

        return predict

    table = {"one": exporting.Format("One", ".one", lambda exporter, precision: b"0", load)}
    monkeypatch.setattr(exporting, "FORMATS", table)
    options = ExportOptions(timed_images=8, batch_size=4)
    files = nodes.export_reader(reader, fields, fields.splits, options, seed=0)
    facts = json.loads(files["cells.json"]())
    assert facts["takes"] == f"uint8 RGB [n, cells, {cell_models.CROP}, {cell_models.CROP}, 3]"
    contents = dict.fromkeys(files, lambda: b"0")
    table = nodes.check_exports(contents, reader, fields, fields.splits, options)
    assert set(taken) == {(4, 5, cell_models.CROP, cell_models.CROP, 3)}
    assert table["within"].tolist()[1:] == [True] * 3
    validation = np.flatnonzero(fields.splits["split"] == "validation")
    truth = fields.splits["label"].to_numpy()[validation]
    predicted = reader.classifier.predict(fields.pixels, validation).probabilities.argmax(axis=1)
    assert table["accuracy"].iloc[0] == pytest.approx((np.array(CLASS_NAMES)[predicted] == truth).mean())


class TestBudget:
    """Of three files, of 8, 4 and 2 MiB, the smaller the slower."""

    @pytest.fixture
    def table(self) -> pd.DataFrame:
        files = ["model.keras", "m-float32.one", "m-float16.one", "m-int8.one"]
        sizes = {"mib": [np.nan, 8.0, 4.0, 2.0], "ms": [np.nan, 1.0, 2.0, 3.0]}
        return pd.DataFrame({"file": files, **sizes, "within": [None, True, True, True]})

    def test_without_one_all_hold(self, table, caplog):
        budget = nodes.apply_budget(table, ExportOptions())
        assert budget["hold"] == ["m-float32.one", "m-float16.one", "m-int8.one"]
        assert budget["refused"] == {}
        assert caplog.text == ""

    def test_what_is_too_large_or_too_slow_is_refused_with_its_figures(self, table, caplog):
        with caplog.at_level(logging.WARNING, "leukoscope"):
            budget = nodes.apply_budget(table, ExportOptions(max_mib=4, max_ms=2.5))
        assert budget == {
            "max_mib": 4,
            "max_ms": 2.5,
            "hold": ["m-float16.one"],
            "refused": {
                "m-float32.one": "has 8.00 MiB, and export.max_mib is 4",
                "m-int8.one": "has 3.00 ms an image, and export.max_ms is 2.5",
            },
        }
        assert "m-float32.one is refused: has 8.00 MiB" in caplog.text
        assert "Within the budget: m-float16.one" in caplog.text

    def test_a_small_file_that_loses_too_much_does_not_hold(self, table):
        lossy = table.assign(within=[None, True, True, False])
        budget = nodes.apply_budget(lossy, ExportOptions(max_mib=4))
        assert budget["hold"] == ["m-float16.one"]
        assert "loses more than export.max_points_lost" in budget["refused"]["m-int8.one"]
        assert nodes.apply_budget(lossy, ExportOptions())["refused"] == {}

    def test_where_none_holds_the_run_ends(self, table):
        with pytest.raises(
            InputError, match=r"No exported file keeps .*m-int8\.one has 2\.00 MiB, and export\.max_mib is 1"
        ):
            nodes.apply_budget(table, ExportOptions(max_mib=1))
        with pytest.raises(
            InputError, match=r"m-float32\.one has 8\.00 MiB.* and has 1\.00 ms an image, and export\.max_ms"
        ):
            nodes.apply_budget(table, ExportOptions(max_mib=1, max_ms=0.5))

    def test_the_time_of_an_image_is_that_of_its_speed(self, held, formats):
        table = nodes.check_exports(contents(), READER, *held, ExportOptions(timed_images=8, batch_size=4))
        files = table.iloc[1:]
        assert (files["ms"] * files["images_per_second"]).to_numpy() == pytest.approx([1000] * 3)
        assert nodes.apply_budget(table, ExportOptions(max_ms=1e9))["hold"] == files["file"].tolist()
