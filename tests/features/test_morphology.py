import numpy as np
import pytest
from skimage.draw import disk, ellipse

from leukoscope.features.morphology import (
    BOUNDARY,
    RATIO,
    SHAPE,
    measure_boundary,
    measure_ratio,
    measure_shape,
)


def draw(shape, side: int = 80) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[shape] = True
    return mask


def test_a_disc_is_measured_as_one():
    shape = dict(zip(SHAPE, measure_shape(draw(disk((40, 40), 20))), strict=True))
    expected = {"area": 1245, "circularity": 0.946, "solidity": 0.981, "extent": 0.819, "eccentricity": 0, "lobes": 1}
    expected |= {"equivalent_diameter": 39.81, "axis_ratio": 1, "roundness": 1, "convex_area": 1269}
    assert {name: shape[name] for name in expected} == pytest.approx(expected, abs=1e-3, rel=1e-3)
    assert shape["compactness"] * shape["circularity"] == pytest.approx(4 * np.pi)


def test_an_ellipse_has_its_axes():
    shape = dict(zip(SHAPE, measure_shape(draw(ellipse(40, 40, 12, 24))), strict=True))
    assert (shape["major_axis"], shape["minor_axis"]) == pytest.approx((48, 24), rel=0.03)
    assert shape["eccentricity"] == pytest.approx(np.sqrt(3) / 2, abs=0.02)


def test_lobes_are_counted():
    mask = draw(disk((40, 25), 12)) | draw(disk((40, 55), 12)) | draw((slice(37, 43), slice(25, 55)))
    assert measure_shape(mask)[SHAPE.index("lobes")] == 2


def test_a_nucleus_is_held_against_its_cell():
    nucleus, cell = (measure_shape(draw(disk((40, 40), radius))) for radius in (10, 20))
    ratio = dict(zip(RATIO, measure_ratio(nucleus, cell), strict=True))
    assert ratio["nucleus_to_cytoplasm"] == pytest.approx(305 / (1245 - 305), rel=0.02)
    assert ratio["nucleus_to_cell_perimeter"] == pytest.approx(0.5, rel=0.05)
    assert measure_ratio(cell, cell)[0] == cell[0]


def test_a_smooth_outline_is_a_line_and_a_frayed_one_is_more():
    smooth = draw(disk((80, 80), 60), side=160)
    frayed = smooth.copy()
    angles = np.arctan2(*(np.indices(smooth.shape) - 80))
    frayed &= (np.sin(40 * angles) > 0) | draw(disk((80, 80), 40), side=160)
    lines, rough = (dict(zip(BOUNDARY, measure_boundary(mask), strict=True)) for mask in (smooth, frayed))
    assert lines["box_dimension"] == pytest.approx(1, abs=0.05)
    assert rough["box_dimension"] > lines["box_dimension"] + 0.1
    assert lines["radial_variance"] == pytest.approx(0, abs=1e-3)
    assert rough["radial_variance"] > 0.01
