import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from leukoscope.models.intervals import estimate_share

DRAWS = {"resamples": 4000, "confidence": 0.95, "seed": 3}


def test_images_that_are_groups_of_their_own_have_the_binomial_interval():
    hits = np.repeat([True, False], [240, 60])
    found = estimate_share(hits, np.arange(300), **DRAWS)
    low, high = proportion_confint(240, 300, 0.05, method="wilson")
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_copies_of_an_image_say_nothing_new():
    hits = np.repeat([True, False], [240, 60])
    once = estimate_share(hits, np.arange(300), **DRAWS)
    tenfold = estimate_share(np.repeat(hits, 10), np.repeat(np.arange(300), 10), **DRAWS)
    assert tenfold == pytest.approx(once)
    apart = estimate_share(np.repeat(hits, 10), np.arange(3000), **DRAWS)
    assert apart.high - apart.low < 0.4 * (once.high - once.low)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_always_or_never_holds_has_no_width(share):
    assert estimate_share(np.full(20, bool(share)), np.arange(20), **DRAWS) == (share, share, share)


def test_the_seed_decides():
    hits = np.arange(50) % 3 > 0
    first, same, other = (estimate_share(hits, np.arange(50), 200, 0.9, seed) for seed in (1, 1, 2))
    assert first == same != other
