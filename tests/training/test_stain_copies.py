import numpy as np
import pytest
from keras import random

from leukoscope.training.augmentation import RandomStain
from leukoscope.training.stain_copies import StainCopy

GREY = 230
COPY = StainCopy(stain=0.3, brightness=0.1, seed=7, number=0, painted=GREY)


@pytest.fixture
def strip(rng) -> np.ndarray:
    """Two cells on grey."""
    strip = np.full((16, 8, 3), GREY, np.uint8)
    strip[1:7, 1:7], strip[9:14, 2:7] = rng.integers(20, 200, (6, 6, 3)), rng.integers(20, 200, (5, 5, 3))
    return strip


def change(image: np.ndarray, copy: StainCopy = COPY) -> np.ndarray:
    return copy.change(image[None])[0]


def test_what_is_painted_stays_and_all_else_changes(strip):
    painted = (strip == GREY).all(axis=-1)
    assert (change(strip)[painted] == GREY).all()
    assert (change(strip)[~painted] != strip[~painted]).any(axis=-1).mean() > 0.9


def test_a_copy_depends_on_what_an_image_shows_and_on_nothing_beside_it(strip, rng):
    padded = np.concatenate([strip, np.full((24, 8, 3), GREY, np.uint8)])
    assert np.array_equal(change(padded)[:16], change(strip))
    other = rng.integers(0, 256, strip.shape, np.uint8)
    assert np.array_equal(COPY.change(np.stack([other, strip]))[1], change(strip))


def test_copies_seeds_and_images_have_draws_of_their_own(strip):
    others = [StainCopy(0.3, 0.1, 7, 1, GREY), StainCopy(0.3, 0.1, 8, 0, GREY), StainCopy(0.3, 0.1, 7, 0, GREY)]
    assert [np.array_equal(change(strip, other), change(strip)) for other in others] == [False, False, True]
    nudged = strip.copy()
    nudged[1, 1] ^= 1
    assert np.abs(change(nudged)[2:].astype(int) - change(strip)[2:]).max() > 1


def test_dyes_change_as_in_augmentation(strip, monkeypatch):
    """Every draw at its upper end, in both."""
    monkeypatch.setattr(np.random, "default_rng", lambda seed: _Highest())
    monkeypatch.setattr(random, "uniform", lambda shape, low=0.0, high=1.0, **_: np.full(shape, high, "float32"))
    layer = RandomStain(stain=0.3, brightness=0.1)
    expected = np.asarray(layer(strip[None].astype("float32"), training=True))[0]
    whole = StainCopy(stain=0.3, brightness=0.1, seed=7, number=0)
    assert change(strip, whole) == pytest.approx(expected, abs=0.51)


class _Highest:
    def uniform(self, low: float, high: float, size: int | None = None) -> np.ndarray:
        return np.full(size or (), high)
