import numpy as np
import pandas as pd
import pytest

from drawn_fields import draw_field
from leukoscope.cells.classical import find_leukocytes
from leukoscope.cells.description import FORM, describe_cells
from leukoscope.cells.measuring import FoundCells, measure_found
from leukoscope.cells.strips import Cutting
from leukoscope.cells.table import tabulate_cells
from leukoscope.features.colour import measure_colours
from leukoscope.features.fields import COUNT, FEATURES, SHARE

SIDE, DIAMETER = 96, 18.0
CUTTING = Cutting("classical", DIAMETER, 42, "neutral")


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    return draw_field([(25, 25, 8), (25, 70, 9), (70, 40, 7)], SIDE)


@pytest.fixture(scope="module")
def found(field) -> list[dict]:
    return describe_cells(field, find_leukocytes(field, DIAMETER), DIAMETER)


def get(measured: np.ndarray, name: str) -> float:
    return float(measured[FEATURES.index(name)])


def test_a_field_is_the_mean_and_deviation_of_its_cells(field, found):
    measured = measure_found(field, found)
    assert len(found) == 3
    assert np.isfinite(measured).all()
    for name in FORM:
        values = [cell[name] for cell in found]
        assert get(measured, f"{name}_mean") == pytest.approx(np.mean(values), rel=1e-5)
        assert get(measured, f"{name}_deviation") == pytest.approx(np.std(values), rel=1e-4, abs=1e-6)
    cells = find_leukocytes(field, DIAMETER)
    assert get(measured, COUNT) == 3
    assert get(measured, SHARE) == pytest.approx((cells > 0).mean())
    colours = np.mean([measure_colours(field[cells == number]) for number in (1, 2, 3)], axis=0)
    assert get(measured, "red_mean_mean") == pytest.approx(colours[0], rel=1e-5)


def test_only_wanted_groups_are_measured(field, found):
    whole, form = measure_found(field, found), measure_found(field, found, ["shape"])
    shape = [*(f"{name}_{moment}" for name in FORM for moment in ("mean", "deviation")), COUNT, SHARE]
    for name in FEATURES:
        assert get(form, name) == get(whole, name) if name in shape else np.isnan(get(form, name))


def test_a_field_without_cells_has_none_and_no_measurements(field, found):
    empty = measure_found(field, [])
    assert (get(empty, COUNT), get(empty, SHARE)) == (0, 0)
    assert np.isnan(empty[:-2]).all()


def test_a_cell_without_a_nucleus_is_counted_and_not_measured(field, found):
    blind = found[2] | dict.fromkeys(FORM, float("nan"))
    measured, two = measure_found(field, [*found[:2], blind]), measure_found(field, found[:2])
    assert get(measured, COUNT) == 3
    assert (measured[:-2] == two[:-2]).all()
    assert np.isnan(measure_found(field, [blind])[:-2]).all()


def test_a_table_gives_what_finding_gives(field, found, tmp_path):
    records = pd.DataFrame({"image_id": ["a", "b"], "path": ["a", "b"], "label": ["Pre", "Pre"]})
    tabulate_cells(records, [found, []]).to_parquet(tmp_path / "cells.parquet")
    cells = FoundCells(pd.read_parquet(tmp_path / "cells.parquet"), CUTTING)
    measured = cells.measure(np.stack([field, field]), np.array([1, 0]), ["b", "a"], ["shape", "texture", "colour"])
    assert (measured[1] == measure_found(field, found)).all()
    assert np.array_equal(measured[0], measure_found(field, []), equal_nan=True)
