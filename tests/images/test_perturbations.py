import numpy as np
import pytest

from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.evaluation.compatibility import RESULT_FORMAT
from leukoscope.features.stains import DENSITIES, GIEMSA
from leukoscope.images.perturbations import OUTLIERS, PERTURBATIONS, perturb, scale_dyes
from leukoscope.synthetic import CLASSES, draw_smear


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([draw_smear(label, np.random.default_rng(n), 64) for n, label in enumerate(CLASSES)])


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_stronger_level_changes_more(images, name):
    levels = PERTURBATIONS[name].levels
    changes = [
        np.abs(perturb(images, PERTURBATIONS[name], level, seed=1).astype(int) - images).mean() for level in levels
    ]
    assert changes == sorted(set(changes))
    assert changes[0] > 0.05
    assert changes[-1] > 1


@pytest.mark.parametrize("change", [*PERTURBATIONS.values(), *OUTLIERS.values()], ids=[*PERTURBATIONS, *OUTLIERS])
def test_images_stay_images_and_the_seed_decides(images, change):
    changed = perturb(images, change, change.levels[-1], seed=1)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert (changed == perturb(images, change, change.levels[-1], seed=1)).all()


def make(kind: str, images: np.ndarray) -> np.ndarray:
    return perturb(images, OUTLIERS[kind], OUTLIERS[kind].levels[0], seed=1)


def test_a_field_without_cells_has_the_colour_of_the_background_and_nothing_dark(images):
    empty = make("no_cells", images)
    assert empty.min() > images.min() + 40
    background = [
        np.median(image[image.mean(axis=2) > np.percentile(image.mean(axis=2), 70)], axis=0) for image in images
    ]
    assert np.abs(np.median(empty, axis=(1, 2)) - background).max() < 25


def test_another_stain_turns_dark_blue_to_brown(images):
    dark = images.mean(axis=3) < np.percentile(images.mean(axis=3), 5)
    before, after = images[dark].mean(axis=0), make("other_stain", images)[dark].mean(axis=0)
    assert before[2] > before[0]
    assert after[0] > after[2]


def test_photographs_show_nothing_of_the_images(images):
    assert (make("photograph", images) == make("photograph", np.zeros_like(images))).all()


def test_grey_has_no_colour_left(images):
    grey = perturb(images, PERTURBATIONS["grey"], 1.0, seed=1)
    assert (grey == grey[..., :1]).all()


def test_a_stain_shift_of_nothing_changes_nothing(images):
    assert np.abs(perturb(images, PERTURBATIONS["stain"], 0.0, seed=1).astype(int) - images).max() <= 1


def test_a_turned_hue_keeps_the_brightest_channel(images):
    turned = perturb(images, PERTURBATIONS["hue"], 90, seed=1)
    assert np.abs(turned.max(axis=3).astype(int) - images.max(axis=3)).max() <= 1


def test_zoom_shows_the_middle(images):
    picture = np.zeros((1, 60, 60, 3), np.uint8)
    picture[:, 20:40, 20:40] = 255
    zoomed = perturb(picture, PERTURBATIONS["zoom"], 1.5, seed=1)
    assert (zoomed > 127).mean() == pytest.approx((30 / 60) ** 2, abs=0.02)


def test_what_judges_takes_other_dyes_apart_than_training_does(images):
    assert np.abs(GIEMSA / np.linalg.norm(GIEMSA, axis=1, keepdims=True) - DENSITIES).max() > 0.1
    restained = [perturb(images, PERTURBATIONS["restain"], 0.4, seed=number) for number in range(6)]
    assert len({one.tobytes() for one in restained}) == 6
    shift = np.array([one[:, 0, 0].astype(float) - images[:, 0, 0] for one in restained])
    assert (np.ptp(shift, axis=0) > 5).all()  # an empty slide's colour is shifted too


def test_dyes_are_scaled_one_by_one_and_nothing_else():
    blue = np.rint(256 * np.exp(-GIEMSA[0] * np.linspace(0.2, 1.2, 8)[:, None]) - 1).astype(np.uint8)[None]
    assert np.abs(scale_dyes(blue, (1, 0.5, 1)).astype(int) - blue).max() <= 4
    expected = 256 * np.exp(-GIEMSA[0] * np.linspace(0.1, 0.6, 8)[:, None]) - 1
    assert scale_dyes(blue, (0.5, 1, 1))[0] == pytest.approx(expected, abs=3)


def test_dyes_that_are_not_changed_stay(images):
    assert np.abs(scale_dyes(images[0], (1, 1, 1)).astype(int) - images[0]).max() <= 1


def test_other_changes_need_another_format_of_results():
    """`test_robust_accuracy` is a mean over these: another list or strength raises RESULT_FORMAT, then this."""
    levels = {name: change.levels for name, change in PERTURBATIONS.items()}
    assert (RESULT_FORMAT, fingerprint_facts(levels)) == (3, "3bfa2e178ef431c4")
