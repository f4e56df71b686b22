import numpy as np
import pytest

from leukoscope.features.normalisation import (
    StainTarget,
    fit_target,
    measure_stain,
    normalise,
    to_opponents,
)
from leukoscope.synthetic import draw_smear


def draw(seed: int) -> np.ndarray:
    return draw_smear("Pro", np.random.default_rng(seed), 64)


def test_grey_has_no_opponent_colours_but_what_the_published_matrix_rounds():
    channels = to_opponents(np.full((1, 1, 3), 255))[0, 0]
    assert channels == pytest.approx([0, 0, 0], abs=0.002)
    # log10(25.5 / 255) is -1 in each cone, and l their sum over the root of 3.
    assert to_opponents(np.full((1, 1, 3), 25.5))[0, 0] == pytest.approx([-(3**0.5), 0, 0], abs=0.002)


def test_an_image_gets_the_target_and_one_that_has_it_stays():
    image, other = (draw(1) * [0.8, 0.6, 0.9]).astype(np.uint8), draw(2)
    target = fit_target([other])
    assert np.abs(measure_stain(image) - target).max() > 0.1
    moved = measure_stain(normalise(image, target))
    assert moved == pytest.approx(np.array(target), abs=0.03)  # but for what is cut off beyond 0 and 255
    assert np.abs(normalise(other, target) - other).max() < 1


def test_a_target_is_the_mean_over_images():
    images = [draw(1), draw(2)]
    expected = np.mean([measure_stain(image) for image in images], axis=0)
    assert np.array(fit_target(iter(images))) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no images"):
        fit_target([])


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (240, 230, 235), (255, 0, 0), (1, 0, 255)])
def test_one_colour_becomes_one_colour(colour):
    target = fit_target([draw(1)])
    normalised = normalise(np.full((8, 8, 3), colour, np.uint8), target)
    assert np.isfinite(normalised).all()
    assert (normalised.min(), normalised.max()) >= (0, 0)
    assert np.ptp(normalised, axis=(0, 1)).max() < 1e-6


def test_noise_of_a_nearly_empty_field_is_not_blown_up():
    noise = np.random.default_rng(1).normal(240, 2, (32, 32, 3)).clip(0, 255).astype(np.uint8)
    before, after = (measure_stain(image)[1] for image in (noise, normalise(noise, fit_target([draw(1)]))))
    assert (after <= 3 * before + 1e-6).all()
    steep = StainTarget((-0.5, 0.0, 0.0), (9.0, 9.0, 9.0))
    assert (measure_stain(normalise(draw(1), steep))[1] <= 3 * measure_stain(draw(1))[1] + 0.05).all()
