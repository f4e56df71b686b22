import numpy as np
import pytest

from drawn_fields import draw_field
from leukoscope.features.fields import COUNT, FEATURES, SHARE, list_features, measure_field

NUCLEI = [(60, 60, 14), (60, 150, 10), (160, 100, 18), (150, 180, 12)]


def measure(image) -> dict[str, float]:
    return dict(zip(FEATURES, measure_field(image), strict=True))


def add_texture(image, seed: int = 0) -> np.ndarray:
    return np.clip(image + np.random.default_rng(seed).normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def test_each_group_has_its_measurements():
    lengths = {groups: len(list_features(groups)) for groups in [("shape",), ("texture",), ("colour",)]}
    assert lengths == {("shape",): 2 * (14 + 14 + 2 + 2) + 2, ("texture",): 2 * 13, ("colour",): 2 * 24}
    assert len(FEATURES) == len(set(FEATURES)) == sum(lengths.values())
    assert COUNT not in list_features(("texture", "colour"))
    assert list_features(("colour", "shape")) == list_features(("shape", "colour"))


def test_a_field_is_the_mean_and_the_deviation_of_its_cells():
    said = measure(draw_field(NUCLEI))
    areas = [measure(draw_field([disc]))["nucleus_area_mean"] for disc in NUCLEI]
    assert said["nucleus_area_mean"] == pytest.approx(np.mean(areas), rel=0.03)  # thresholds are the field's
    assert said["nucleus_area_deviation"] == pytest.approx(np.std(areas), rel=0.03)
    assert said[COUNT] == 4
    assert said[SHARE] == pytest.approx(sum(areas) / 224**2, rel=0.05)


def test_of_one_cell_nothing_deviates():
    said = measure(draw_field(NUCLEI[:1]))
    assert {value for name, value in said.items() if name.endswith("_deviation") and "_mean" not in name} >= {0.0}
    assert said["nucleus_area_deviation"] == said["contrast_deviation"] == 0


def test_a_field_without_cells_has_a_count_of_0_and_nothing_else():
    said = measure(draw_field([]))
    assert (said[COUNT], said[SHARE]) == (0, 0)
    assert all(np.isnan(value) for name, value in said.items() if name not in (COUNT, SHARE))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_a_field_changes_nothing(turns):
    image = add_texture(draw_field(NUCLEI))
    before, after = (measure_field(view) for view in (image, np.rot90(image, turns)))
    assert np.abs(after - before).max() <= 0.02 * np.abs(before).max()
    assert after == pytest.approx(before, rel=0.02, abs=1e-3)


def test_colour_is_no_matter_of_shape_nor_shape_of_colour():
    violet, blue = (measure(draw_field(NUCLEI, colour=colour)) for colour in ((110, 40, 150), (120, 60, 190)))
    shape, colour = list_features(("shape",)), list_features(("colour",))
    assert [violet[name] for name in shape] == [blue[name] for name in shape]
    assert [violet[name] for name in colour] != [blue[name] for name in colour]
