import numpy as np
import pytest

from leukoscope.images.perturbations import PERTURBATIONS, perturb
from leukoscope.synthetic import CLASSES, draw_smear


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([draw_smear(label, np.random.default_rng(n), 64) for n, label in enumerate(CLASSES)])


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_stronger_level_changes_more(images, name):
    levels = PERTURBATIONS[name].levels
    changes = [np.abs(perturb(images, name, level, seed=1).astype(int) - images).mean() for level in levels]
    assert changes == sorted(set(changes))
    assert changes[0] > 0.05
    assert changes[-1] > 1


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_images_stay_images_and_the_seed_decides(images, name):
    level = PERTURBATIONS[name].levels[-1]
    changed = perturb(images, name, level, seed=1)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert (changed == perturb(images, name, level, seed=1)).all()


def test_grey_has_no_colour_left(images):
    grey = perturb(images, "grey", 1.0, seed=1)
    assert (grey == grey[..., :1]).all()


def test_a_stain_shift_of_nothing_changes_nothing(images):
    assert np.abs(perturb(images, "stain", 0.0, seed=1).astype(int) - images).max() <= 1


def test_a_turned_hue_keeps_the_brightest_channel(images):
    turned = perturb(images, "hue", 90, seed=1)
    assert np.abs(turned.max(axis=3).astype(int) - images.max(axis=3)).max() <= 1


def test_zoom_shows_the_middle(images):
    picture = np.zeros((1, 60, 60, 3), np.uint8)
    picture[:, 20:40, 20:40] = 255
    zoomed = perturb(picture, "zoom", 1.5, seed=1)
    assert (zoomed > 127).mean() == pytest.approx((30 / 60) ** 2, abs=0.02)
