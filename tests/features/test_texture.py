import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from leukoscope.features.texture import TEXTURE, describe_neighbours, measure_texture


def describe(counts) -> dict[str, float]:
    return dict(zip(TEXTURE, describe_neighbours(np.asarray(counts, float)[None])[0], strict=True))


@pytest.mark.parametrize(("angle", "contrast", "correlation"), [(0, 9, -1), (np.pi / 4, 0, 1)])
def test_a_checkerboard_is_its_own_opposite_next_door_and_itself_across(angle, contrast, correlation):
    board = (3 * (np.indices((8, 8)).sum(axis=0) % 2)).astype(np.uint8)
    said = describe(graycomatrix(board, [1], [angle], levels=4, symmetric=True)[..., 0, 0])
    assert (said["contrast"], said["correlation"]) == pytest.approx((contrast, correlation))
    assert said["entropy"] == pytest.approx(np.log(2), rel=1e-3)
    assert abs(said["information_1"]) == pytest.approx(1)


def test_what_scikit_image_has_too_is_the_same(rng):
    grey = rng.integers(0, 256, (30, 30), dtype=np.uint8)
    counts = graycomatrix(grey >> 3, [1], [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4], levels=32, symmetric=True)
    said = dict(zip(TEXTURE, measure_texture(grey, np.ones(grey.shape, bool)), strict=True))
    names = {"contrast": "contrast", "correlation": "correlation", "ASM": "angular_second_moment"}
    names |= {"homogeneity": "inverse_difference_moment", "entropy": "entropy", "variance": "variance"}
    for theirs, ours in names.items():
        assert said[ours] == pytest.approx(graycoprops(counts, theirs).mean(), rel=1e-6), ours


def test_independent_neighbours_tell_nothing_of_each_other():
    margin = np.array([0.2, 0.3, 0.5])
    said = describe(1000 * np.outer(margin, margin))
    assert (said["correlation"], said["information_1"], said["information_2"]) == pytest.approx((0, 0, 0), abs=1e-6)
    assert said["sum_average"] == pytest.approx(2 * (0.3 + 2 * 0.5))
    assert said["sum_variance"] == pytest.approx(2 * said["variance"])
    differences = np.array([0.04 + 0.09 + 0.25, 2 * (0.06 + 0.15), 2 * 0.1])
    assert said["difference_entropy"] == pytest.approx(-(differences * np.log(differences)).sum())
    assert said["difference_variance"] == pytest.approx(differences @ [0, 1, 4] - (differences @ [0, 1, 2]) ** 2)


def test_one_level_alone_has_no_texture():
    said = dict(zip(TEXTURE, measure_texture(np.full((9, 9), 77, np.uint8), np.ones((9, 9), bool)), strict=True))
    assert said["angular_second_moment"] == 1
    assert said["sum_average"] == 2 * (77 >> 3)
    assert [said[name] for name in ("contrast", "entropy", "variance", "information_2")] == [0] * 4


def test_what_is_outside_of_the_mask_does_not_count(rng):
    grey = rng.integers(0, 256, (20, 20), dtype=np.uint8)
    mask = np.zeros(grey.shape, bool)
    mask[5:15, 5:15] = True
    other = np.where(mask, grey, 255 - grey)
    assert measure_texture(grey, mask) == pytest.approx(measure_texture(other, mask))
    assert measure_texture(grey, mask) == pytest.approx(measure_texture(grey[5:15, 5:15], np.ones((10, 10), bool)))
