import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from drawn_fields import draw_field
from leukoscope.cells.classical import find_leukocytes
from leukoscope.cells.description import COLUMNS, describe_cells
from leukoscope.cells.masks import decode_mask
from leukoscope.features.morphology import SHAPE, measure_shape
from leukoscope.features.segmentation import SIDE
from leukoscope.synthetic import draw_smear

DISCS = [(60, 60, 12), (60, 83, 12), (150, 100, 12), (3, 160, 12)]


@pytest.fixture
def image() -> np.ndarray:
    return draw_field(DISCS)


@pytest.fixture
def cells(image) -> list[dict]:
    return describe_cells(image, find_leukocytes(image, 24), 24)


def at(cells: list[dict], row: int, column: int) -> dict:
    return min(cells, key=lambda cell: abs(cell["row"] - row) + abs(cell["column"] - column))


def test_each_cell_has_its_place_and_its_mask(image, cells):
    assert len(cells) == 4
    assert all(set(cell) == set(COLUMNS) for cell in cells)
    cell = at(cells, 150, 100)
    assert (cell["row"], cell["column"]) == pytest.approx((150, 100), abs=0.5)
    assert [cell[side] for side in ("left", "top", "right", "bottom")] == pytest.approx([88, 138, 113, 163], abs=2)
    mask = decode_mask(cell["mask"], 224, 224)
    assert mask.sum() == cell["cell_area"] == pytest.approx(np.pi * 12**2, rel=0.2)
    assert decode_mask(cell["nucleus_mask"], 224, 224)[~mask].sum() == 0
    assert cell["nucleus_circularity"] > 0.85


def test_what_touches_and_what_is_cut_is_told(cells):
    assert [at(cells, row, column)["touching"] for row, column, _ in DISCS] == [True, True, False, False]
    assert [at(cells, row, column)["cut"] for row, column, _ in DISCS] == [False, False, False, True]


def test_a_blurred_cell_is_less_in_focus(image):
    found = find_leukocytes(image, 24)
    focus = [
        at(describe_cells(gaussian_filter(image, (blur, blur, 0)), found, 24), 150, 100)["focus"] for blur in (0, 1, 2)
    ]
    assert focus[0] > 1.3 * focus[1] > 1.3**2 * focus[2]


def test_without_cells_there_is_no_entry(image):
    assert describe_cells(image, np.zeros((224, 224), np.int32), 24) == []


def test_a_cell_whose_nucleus_is_not_seen_has_no_form(image):
    cells = np.zeros((224, 224), np.int32)
    cells[190:210, 10:40] = 1
    (cell,) = describe_cells(image, cells, 24)
    assert np.isnan(cell["nucleus_area"])
    assert (cell["left"], cell["bottom"]) == (10, 210)


def test_a_nucleus_of_a_pixel_has_no_form(image):
    """As where a cell has a pixel of its neighbour's."""
    cells = np.zeros((224, 224), np.int32)
    cells[190:210, 10:40] = 1
    image[200, 20] = image[60, 60]
    (cell,) = describe_cells(image, cells, 24)
    assert np.isnan(cell["cell_area"])
    assert np.isnan(measure_shape(np.ones((1, 1), bool))).all()


def test_form_is_of_the_scale_of_the_field():
    """Which notch parts two lobes is a question of the field's resolution, not of the size of the cell's box."""
    for seed in range(3):
        image = draw_smear("Pre", np.random.default_rng(seed))
        for cell in describe_cells(image, find_leukocytes(image, 24), 24):
            lobes, count = label(decode_mask(cell["nucleus_mask"], 224, 224))
            if count:
                largest = lobes == 1 + np.bincount(lobes.ravel())[1:].argmax()
                expected = dict(zip(SHAPE, measure_shape(largest, 224 / SIDE), strict=True))
                assert cell["nucleus_lobes"] == expected["lobes"]
