import sqlite3

import numpy as np
import pytest

from drawn_fields import draw_field
from leukoscope.features import measuring
from leukoscope.features.fields import FEATURES, measure_field
from leukoscope.features.measuring import MeasurementStore, identify_field, measure_fields


@pytest.fixture
def fields() -> np.ndarray:
    return np.stack([draw_field([(32, 32, radius)], side=64) for radius in (8, 10, 12, 10)])


@pytest.fixture
def measured(monkeypatch) -> list[bytes]:
    """The fields that are really measured."""
    seen = []

    def measure(image):
        seen.append(identify_field(image))
        return measure_field(image)

    monkeypatch.setattr(measuring, "measure_field", measure)
    return seen


def test_a_field_is_measured_once_whoever_asks(fields, measured, tmp_path):
    store = MeasurementStore(tmp_path / "kept" / "measurements.db")
    first = measure_fields(fields, None, store)
    assert len(measured) == 3  # two fields are the same
    again = measure_fields(fields[::-1], np.array([0, 2]), MeasurementStore(store.file))
    assert len(measured) == 3
    assert np.array_equal(again, first[[3, 1]], equal_nan=True)
    assert np.array_equal(first[1], measure_field(fields[1]))


def test_without_a_store_nothing_is_kept(fields, measured):
    measure_fields(fields)
    measure_fields(fields)
    assert len(measured) == 6


def test_another_format_of_measurements_is_another_field(fields, monkeypatch):
    before = identify_field(fields[0])
    assert identify_field(fields[0].copy()) == before != identify_field(fields[1])
    monkeypatch.setattr(measuring, "FORMAT", -1)
    assert identify_field(fields[0]) != before


@pytest.mark.parametrize("damage", ["text", "other table", "cut short", "nothing"])
def test_a_damaged_store_is_done_without(fields, measured, tmp_path, caplog, damage):
    store = MeasurementStore(tmp_path / "measurements.db")
    expected = measure_fields(fields, None, store)
    if damage == "text":
        store.file.write_text("no database at all, and long enough to be looked at")
    else:
        with sqlite3.connect(store.file) as database:
            if damage == "other table":
                database.execute("DROP TABLE fields")
            else:
                value = {"cut short": "X'00000000'", "nothing": "NULL"}[damage]
                database.execute(f"UPDATE fields SET measurements = {value}")
    assert np.array_equal(measure_fields(fields, None, store), expected, equal_nan=True)
    assert len(measured) == 6
    assert ("is not kept" in caplog.text) is (damage not in ("cut short", "nothing"))


def test_no_field_gives_no_row(fields):
    assert measure_fields(fields, np.array([], int)).shape == (0, len(FEATURES))


@pytest.mark.slow
def test_many_fields_are_measured_on_all_cores_in_their_order(tmp_path, caplog):
    caplog.set_level("INFO", logger="leukoscope")
    many = np.stack([draw_field([(32, 32, 6 + number % 13)], side=64) for number in range(80)])
    many[:, 0, 0, 0] = np.arange(80)  # of which no two are the same
    alone = np.stack([measure_field(image) for image in many])
    together = measure_fields(many, None, MeasurementStore(tmp_path / "measurements.db"))
    assert np.array_equal(together, alone, equal_nan=True)
    assert "Measured 80 of 80 fields" in caplog.text
