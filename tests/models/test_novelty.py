import numpy as np
import pytest

from leukoscope.models.novelty import KnownImages, choose_limit


def test_novelty_is_the_distance_to_the_fifth_nearest_in_standard_deviations():
    # One channel with a standard deviation of 2, and one that never changes.
    known = np.column_stack([[-3.0, -2, -1, 1, 2, 3], np.full(6, 7.0)]) * [2 / np.sqrt(28 / 6), 1]
    step = 1 / np.sqrt(28 / 6)
    found = KnownImages(known).measure_novelty(np.array([[0.0, 7.0], known[5], [known[5][0], 17.0]]))
    assert found[:2] == pytest.approx(np.array([3, 5]) * step / np.sqrt(2))
    assert found[2] == pytest.approx(np.hypot(5 * step, 10) / np.sqrt(2))


def test_few_training_images_are_enough():
    assert KnownImages(np.eye(3)).measure_novelty(np.eye(3)) == pytest.approx(np.sqrt(2 / (2 / 9) / 3))


def test_at_most_the_stated_share_is_beyond_the_limit():
    novelty = np.linspace(0, 1, 101)
    assert (novelty > choose_limit(novelty, 0.05)).mean() <= 0.05
    assert (novelty > choose_limit(novelty, 0.5)).mean() == pytest.approx(0.5, abs=0.01)
