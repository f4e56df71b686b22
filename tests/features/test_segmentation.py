import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import disk
from skimage.morphology import convex_hull_image

from drawn_fields import draw_field
from leukoscope.features.segmentation import find_cells, measure_convex_area, measure_roundness, separate


def test_nuclei_of_a_field_are_found_one_by_one():
    cells = find_cells(draw_field([(60, 60, 14), (60, 150, 10), (160, 100, 18)]))
    assert cells.number == 3
    assert sorted(np.bincount(cells.nuclei.ravel())[1:]) == pytest.approx(
        [np.pi * r**2 for r in (10, 14, 18)], rel=0.05
    )


def test_what_the_edge_cuts_or_is_small_is_left_out():
    cells = find_cells(draw_field([(100, 100, 14), (3, 50, 14), (100, 200, 3)]))
    assert cells.number == 1
    assert cells.nuclei[100, 100] == 1


@pytest.mark.parametrize("seed", range(3))
def test_an_empty_field_has_no_cells_however_noisy(seed):
    noise = np.random.default_rng(seed).normal(0, 6, (224, 224, 3))
    assert find_cells(np.clip(draw_field([]) + noise, 0, 255).astype(np.uint8)).number == 0
    assert find_cells(draw_field([])).number == 0


def test_grey_cells_are_no_leukocytes():
    assert find_cells(draw_field([(100, 100, 14)], colour=(150, 150, 155))).number == 0


def test_two_discs_that_touch_are_cut_apart():
    mask = np.zeros((80, 80), bool)
    for column in (29, 51):
        mask[disk((40, column), 15)] = True
    assert measure_roundness(mask) == pytest.approx(0.756, abs=0.001)
    labels, angular = separate(mask)
    assert labels.max() == 2
    assert angular == {1, 2}
    assert labels[40, 29] != labels[40, 51]
    assert ((labels > 0) == mask).all()


def test_a_round_nucleus_stays_whole():
    mask = np.zeros((80, 80), bool)
    mask[disk((40, 40), 20)] = True
    labels, angular = separate(mask)
    assert (labels.max(), angular) == (1, set())


def test_a_cell_is_its_nucleus_and_what_is_coloured_around():
    image = draw_field([(100, 100, 16)], colour=(200, 190, 235))  # cytoplasm
    image[disk((100, 100), 12)] = (110, 40, 150)
    cells = find_cells(image)
    assert cells.number == 1
    nucleus, cell = (np.count_nonzero(mask) for mask in cells)
    assert cell == pytest.approx(np.pi * 15**2, rel=0.08)  # three pixels around
    assert nucleus == pytest.approx(np.pi * 12**2, rel=0.05)


def test_a_smaller_picture_of_a_field_has_the_same_cells():
    large = find_cells(draw_field([(60, 60, 14), (160, 100, 18)]))
    small = find_cells(draw_field([(30, 30, 7), (80, 50, 9)], side=112))
    assert large.number == small.number == 2


def test_the_convex_hull_fills_dents():
    mask = np.ones((20, 20), bool)
    mask[5:15, 10:] = False
    assert measure_convex_area(mask) == pytest.approx(400, rel=0.02)


def test_the_convex_hull_is_that_of_scikit_image():
    for seed in range(20):
        noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(40, 40)), 4)
        part = ndimage.label(noise > 0)[0] == 1
        part = part[ndimage.find_objects(part.astype(int))[0]]
        assert measure_convex_area(part) == pytest.approx(convex_hull_image(part).sum(), abs=2), seed
