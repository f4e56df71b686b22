import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from leukoscope.models.intervals import estimate_figures, estimate_share

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
def test_what_always_or_never_holds_is_as_sure_as_its_groups_are_many(share):
    found = estimate_share(np.full(40, bool(share)), np.arange(40) // 2, **DRAWS)
    assert (found.low, found.high) == pytest.approx(proportion_confint(20 * share, 20, 0.05, method="wilson"))


def test_one_group_says_nothing_of_how_sure_a_share_is():
    found = estimate_share(np.arange(49) == 0, np.zeros(49), **DRAWS)
    assert found.value == pytest.approx(1 / 49)
    assert np.isnan([found.low, found.high]).all()


def test_figures_have_the_interval_of_a_share():
    hits = np.repeat([True, False], [240, 60])
    share = estimate_share(hits, np.arange(300), **DRAWS)
    found = estimate_figures(lambda weights: {"hits": np.average(hits, weights=weights)}, np.arange(300), **DRAWS)
    assert found["hits"] == pytest.approx(share, abs=0.005)


def test_draws_in_which_a_figure_is_undefined_are_left_out():
    rare = np.arange(20) == 0

    def score(weights):
        return {"rare": 0.5 + 0.01 * weights[3] if weights[rare].any() else np.nan, "constant": 1.0}

    found = estimate_figures(score, np.arange(20), **DRAWS)
    assert 0.5 <= found["rare"].low < found["rare"].high < 0.6
    assert np.isnan([found["constant"].low, found["constant"].high]).all()


def test_the_seed_decides():
    hits = np.arange(50) % 3 > 0
    first, same, other = (estimate_share(hits, np.arange(50), 200, 0.9, seed) for seed in (1, 1, 2))
    assert first == same != other
