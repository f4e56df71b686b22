import numpy as np
import pytest
from scipy.ndimage import label as number_parts

from drawn_fields import draw_field
from leukoscope.cells.classical import find_leukocytes, find_nuclei, measure_diameter
from leukoscope.cells.judging import Tally
from leukoscope.synthetic import CLASSES, draw_smear_with_cells

DIAMETER = 24.0  # of what is drawn at 224 pixels


def judge(per_class: int, touching: float, seed: int) -> dict[str, Tally]:
    """Count what is found on drawn smears, by cells and by nuclei."""
    tallies = {"cells": Tally(), "nuclei": Tally()}
    for place, name in enumerate(CLASSES):
        for number in range(per_class):
            drawn = draw_smear_with_cells(name, np.random.default_rng([seed, place, number]), touching=touching)
            cells = find_leukocytes(drawn.image, DIAMETER)
            tallies["cells"].add_field(drawn.cells, drawn.nuclei, cells)
            nuclei = np.where(find_nuclei(drawn.image, DIAMETER), cells, 0)
            tallies["nuclei"].add_field(drawn.nuclei, drawn.nuclei, nuclei)
    return tallies


def check(tallies: dict[str, Tally]) -> None:
    for tally in tallies.values():
        assert min(tally.precision, tally.recall) >= 0.97
        assert tally.overlap >= 0.85


def test_the_leukocytes_of_drawn_smears_are_found():
    check(judge(3, 0.0, 1))


def test_drawn_cells_that_touch_are_parted():
    tally = judge(2, 0.6, 2)["cells"]
    assert tally.touching >= 20
    assert tally.parted >= 0.9 * tally.touching


@pytest.mark.slow
def test_the_leukocytes_of_many_drawn_smears_are_found():
    check(judge(25, 0.0, 3))


@pytest.mark.slow
def test_many_drawn_cells_that_touch_are_parted():
    tally = judge(15, 0.6, 4)["cells"]
    assert tally.touching >= 200
    assert tally.parted >= 0.9 * tally.touching


def test_what_is_in_two_lobes_is_one_cell():
    image = draw_field([(100, 100, 14)], colour=(205, 190, 235))  # cytoplasm
    image[draw_field([(100, 94, 5), (100, 107, 5)]).min(axis=2) < 100] = (110, 40, 150)
    assert number_parts(find_nuclei(image, DIAMETER))[1] == 2
    cells = find_leukocytes(image, DIAMETER)
    assert cells.max() == 1
    assert (cells > 0).sum() == pytest.approx(np.pi * 14**2, rel=0.1)


def test_two_discs_that_touch_are_two_cells():
    cells = find_leukocytes(draw_field([(100, 80, 12), (100, 103, 12)]), DIAMETER)
    assert cells.max() == 2
    assert cells[100, 80] != cells[100, 103]


@pytest.mark.parametrize("colour", [(190, 140, 130), (120, 160, 170), (150, 150, 155)])
def test_red_cells_are_no_leukocytes(colour):
    discs = [(40 + 45 * row, 40 + 45 * column, 13) for row in range(4) for column in range(4)]
    image = draw_field(discs, colour=colour)
    assert find_leukocytes(image, DIAMETER).max() == 0
    image[draw_field([(175, 175, 12)]).min(axis=2) < 100] = (110, 40, 150)
    assert find_leukocytes(image, DIAMETER).max() == 1


def test_pale_nuclei_are_found_where_they_are_purple_enough():
    image = draw_field([(60 + 20 * row, 150, 8) for row in range(4)], colour=(205, 200, 215))  # red cells
    image[draw_field([(60, 60, 12), (150, 60, 12)]).min(axis=2) < 100] = (236, 206, 236)
    assert find_leukocytes(image, DIAMETER).max() == 2


def test_platelets_are_no_leukocytes():
    assert find_leukocytes(draw_field([(60, 60, 3), (150, 40, 4), (120, 160, 12)]), DIAMETER).max() == 1


@pytest.mark.parametrize("seed", range(3))
def test_an_empty_field_has_no_cells_however_noisy(seed):
    noise = np.random.default_rng(seed).normal(0, 6, (224, 224, 3))
    assert find_leukocytes(np.clip(draw_field([]) + noise, 0, 255).astype(np.uint8), DIAMETER).max() == 0
    assert find_leukocytes(draw_field([]), DIAMETER).max() == 0


def test_light_that_falls_off_makes_no_cells():
    rows, columns = np.mgrid[-1:1:224j, -1:1:224j]
    falloff = 1 - 0.3 * (rows**2 + columns**2)  # of green alone, so that the corners look purple
    light = np.stack([np.ones((224, 224)), falloff, np.ones((224, 224))], axis=-1)
    image = (draw_field([(60, 60, 12), (170, 150, 12)]) * light).astype(np.uint8)
    assert find_leukocytes(image, DIAMETER).max() == 2


def test_the_size_of_cells_is_measured():
    assert measure_diameter(draw_field([(60, 60, 14), (60, 150, 14), (160, 100, 14)])) == pytest.approx(28, abs=2.5)
    assert measure_diameter(draw_field([(120, 120, 30)])) == pytest.approx(60, abs=4)
    assert measure_diameter(draw_field([])) is None
