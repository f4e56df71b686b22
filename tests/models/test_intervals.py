import numpy as np
import pytest
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint

from leukoscope.models.intervals import estimate_figures, estimate_share, warn_of_few_groups

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


def test_figures_have_the_interval_of_scipys_bootstrap():
    values = np.arange(30) ** 2 / 900
    found = estimate_figures(lambda weights: {"mean": np.average(values, weights=weights)}, np.arange(30), **DRAWS)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1))
    assert found["mean"][1:] == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)


def test_draws_in_which_a_figure_is_undefined_are_left_out():
    rare = np.arange(20) == 0

    def score(weights):
        return {"rare": 0.5 + 0.01 * weights[3] if weights[rare].any() else np.nan, "constant": 1.0}

    found = estimate_figures(score, np.arange(20), **DRAWS)
    assert 0.5 <= found["rare"].low < found["rare"].high < 0.6
    assert np.isnan([found["constant"].low, found["constant"].high]).all()


def test_a_figure_that_most_draws_leave_undefined_has_no_interval():
    def score(weights):
        return {"both": np.average(np.arange(20), weights=weights) if weights[:2].all() else np.nan}

    found = estimate_figures(score, np.arange(20), **DRAWS)["both"]
    assert found.value == 9.5
    assert np.isnan([found.low, found.high]).all()


def test_a_share_that_is_the_same_in_every_draw_is_as_sure_as_its_groups_are_many():
    ill = np.arange(40) < 24
    found = estimate_figures(
        lambda weights: {"all": 1.0, "ill": 1.0, "none": np.nan, "other": 1.0},
        np.arange(40) // 2,
        **DRAWS,
        shares={"all": ill | True, "ill": ill, "none": ~ill},
    )
    for name, groups in (("all", 20), ("ill", 12)):
        assert found[name][1:] == pytest.approx(proportion_confint(groups, groups, 0.05, method="wilson"))
    assert np.isnan([*found["none"], *found["other"][1:]]).all()


def test_a_share_of_one_group_has_no_interval():
    only = np.arange(40) < 2
    found = estimate_figures(lambda weights: {"only": 1.0}, np.arange(40) // 2, **DRAWS, shares={"only": only})["only"]
    assert np.isnan([found.low, found.high]).all()


def cover(rng, groups: int, drawn_apart: bool) -> float:
    """Tell how often the interval holds the true share, where images of a group are nearly all right or all wrong."""
    codes, held = np.repeat(np.arange(groups), 40), []
    for _ in range(200):
        hits = rng.random(len(codes)) < rng.beta(0.96, 0.04, groups)[codes]
        found = estimate_share(hits, np.arange(len(codes)) if drawn_apart else codes, 300, 0.95, seed=1)
        held.append(found.low <= 0.96 <= found.high)
    return float(np.mean(held))


def test_intervals_by_groups_hold_the_true_share_where_those_by_images_do_not(rng):
    assert cover(rng, 120, drawn_apart=False) > 0.87
    assert cover(rng, 40, drawn_apart=True) < 0.5


def test_few_groups_are_warned_of_since_their_intervals_are_too_narrow(rng, caplog):
    assert cover(rng, 11, drawn_apart=False) < 0.85
    warn_of_few_groups(30, "These images")
    assert caplog.text == ""
    warn_of_few_groups(11, "These images")
    assert "These images: the intervals are of 11 groups; with fewer than 30 they are too narrow" in caplog.text


def test_the_seed_decides():
    hits = np.arange(50) % 3 > 0
    first, same, other = (estimate_share(hits, np.arange(50), 200, 0.9, seed) for seed in (1, 1, 2))
    assert first == same != other
