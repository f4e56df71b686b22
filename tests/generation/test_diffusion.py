import numpy as np
import pytest

from leukoscope.generation import diffusion


@pytest.fixture(scope="module")
def schedule() -> np.ndarray:
    return diffusion.make_schedule()


def test_the_schedule_falls_from_the_image_to_noise_by_a_cosine(schedule):
    assert len(schedule) == 1001
    assert schedule[0] == 1
    assert (np.diff(schedule) < 0).all()
    assert 0 < schedule[-1] < 1e-6
    # cos^2 of (0.5 + 0.008) / 1.008 of a right angle, by that of 0.008 / 1.008
    assert schedule[500] == pytest.approx(0.493844, abs=1e-5)


def test_unit_variance_stays_unit_variance_at_every_step(schedule, rng):
    images, noise = rng.standard_normal((2, 1, 1000))
    images, noise = ((values - values.mean()) / values.std() for values in (images, noise))
    noise -= images * (images * noise).mean()  # not correlated at all
    noise /= noise.std()
    for step in range(len(schedule)):
        noisy = diffusion.add_noise(images, noise, np.array([step]), schedule)
        assert noisy.var() == pytest.approx(1, abs=1e-9)


def test_step_zero_is_the_image_itself(schedule, rng):
    images, noise = rng.standard_normal((2, 3, 8, 8, 3))
    assert (diffusion.add_noise(images, noise, np.zeros(3, int), schedule) == images).all()
    last = diffusion.add_noise(images, noise, np.full(3, 1000), schedule)
    assert last == pytest.approx(noise, abs=1e-3)


def test_each_image_has_its_own_step(schedule, rng):
    images, noise = rng.standard_normal((2, 2, 4, 4, 3))
    noisy = diffusion.add_noise(images, noise, np.array([0, 1000]), schedule)
    assert (noisy[0] == images[0]).all()
    assert noisy[1] == pytest.approx(noise[1], abs=1e-3)


@pytest.mark.parametrize("steps", [1, 7, 50, 1000])
@pytest.mark.parametrize("limit", [None, 1.0])
def test_the_true_noise_leads_back_to_the_image(schedule, rng, steps, limit):
    images, noise = rng.uniform(-1, 1, (2, 8, 8, 3)), rng.standard_normal((2, 8, 8, 3))
    start = diffusion.add_noise(images, noise, np.full(2, 1000), schedule)
    drawn = diffusion.sample(lambda noisy, step: noise, start, schedule, steps, limit)
    assert drawn == pytest.approx(images, abs=1e-4)


def test_estimates_beyond_the_limit_are_clipped(schedule, rng):
    start = rng.standard_normal((2, 8, 8, 3))
    wrong = diffusion.sample(lambda noisy, step: np.zeros_like(noisy), start, schedule, 5)
    assert np.abs(wrong).max() == 1


def test_steps_are_told_apart_by_their_embedding():
    embedded = diffusion.embed_steps(np.array([0, 1, 999, 1000]))
    assert embedded.shape == (4, diffusion.EMBEDDING)
    assert embedded[0].tolist() == [0.0] * 32 + [1.0] * 32
    assert embedded[1, 0] == pytest.approx(np.sin(1))
    assert np.linalg.norm(embedded[2] - embedded[3]) > 0.1


def test_pixels_come_back():
    pixels = np.arange(256, dtype=np.uint8)
    assert (diffusion.to_pixels(diffusion.to_unit(pixels)) == pixels).all()
    assert diffusion.to_pixels(np.array([-3.0, 3.0])).tolist() == [0, 255]
