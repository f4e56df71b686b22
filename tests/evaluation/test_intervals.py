import numpy as np
import pytest
from scipy.stats import betabinom, bootstrap
from statsmodels.stats.proportion import proportion_confint

from leukoscope.evaluation.intervals import (
    count_groups_with_errors,
    estimate_figures,
    estimate_share,
    warn_of_few_groups,
)

DRAWS = {"resamples": 4000, "confidence": 0.95, "seed": 3}


@pytest.mark.parametrize("right", [240, 3, 299])
def test_images_that_are_groups_of_their_own_have_jeffreys_interval(right):
    found = estimate_share(np.arange(300) < right, np.arange(300), 0.95)
    assert found.value == right / 300
    assert (found.low, found.high) == pytest.approx(proportion_confint(right, 300, 0.05, method="jeffreys"))


def test_no_error_is_surer_than_one():
    none, one = (estimate_share(np.arange(390) < right, np.arange(390), 0.95) for right in (390, 389))
    assert none.high == 1.0
    assert none.low > one.low


def test_copies_of_an_image_say_little_new():
    hits = np.repeat([True, False], [240, 60])
    once = estimate_share(hits, np.arange(300), 0.95)
    tenfold = estimate_share(np.repeat(hits, 10), np.repeat(np.arange(300), 10), 0.95)
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high), abs=0.005)
    apart = estimate_share(np.repeat(hits, 10), np.arange(3000), 0.95)
    assert apart.high - apart.low < 0.4 * (once.high - once.low)


def test_groups_as_mixed_as_chance_has_it_count_by_their_images(rng):
    hits, groups = rng.random(2000) < 0.8, np.arange(2000) // 20
    apart, together = (estimate_share(hits, codes, 0.95) for codes in (np.arange(2000), groups))
    assert together.high - together.low < 1.5 * (apart.high - apart.low)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_always_or_never_holds_is_surer_the_more_groups_there_are(share):
    few, many = (estimate_share(np.full(400, share), np.arange(400) % groups, 0.95) for groups in (5, 50))
    assert few.value == many.value == share
    assert few.high - few.low > 3 * (many.high - many.low) > 0
    assert share in (many.low, many.high)


def test_shares_of_trials_count_as_such():
    found = estimate_share(np.tile([0.5, 1.0], 100), np.arange(200), 0.95)
    assert found.value == 0.75
    assert (found.low, found.high) == pytest.approx(proportion_confint(150, 200, 0.05, method="jeffreys"))


@pytest.mark.parametrize("errors", [1, 3, 20])
def test_groups_have_the_posterior_of_the_beta_binomial_distribution(errors):
    groups = np.arange(120) // 4
    hits = np.roll(np.arange(120) >= errors, 6)
    found = estimate_share(hits, groups, 0.95)
    shares, correlations = np.linspace(0, 1, 4002)[1:-1, None], (np.arange(32) + 0.5) / 32
    spread = 1 / correlations - 1
    held = np.bincount(groups, hits)
    likelihood = sum(betabinom.logpmf(count, 4, shares * spread, (1 - shares) * spread) for count in held)
    posterior = (np.exp(likelihood - likelihood.max()) / np.sqrt(shares * (1 - shares))).sum(axis=1)
    low, high = np.interp([0.025, 0.975], posterior.cumsum() / posterior.sum(), shares[:, 0])
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)


def test_the_interval_holds_its_value_where_groups_of_different_sizes_differ():
    hits, groups = np.repeat([True, False], [500, 20]), np.append(np.zeros(500), np.arange(1, 21))
    found = estimate_share(hits, groups, 0.95)
    assert found.low < found.value == found.high == 500 / 520


def test_one_group_says_nothing_of_how_sure_a_share_is():
    found = estimate_share(np.arange(49) == 0, np.zeros(49), 0.95)
    assert found.value == pytest.approx(1 / 49)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(estimate_share(np.zeros(0, bool), np.zeros(0), 0.95)).all()


def test_many_images_leave_a_narrow_interval_that_is_still_right():
    found = estimate_share(np.arange(200_000) % 10 > 0, np.arange(200_000) // 2, 0.95)
    assert (found.low, found.high) == pytest.approx((0.9 - 0.0013, 0.9 + 0.0013), abs=0.0009)


def test_figures_have_the_interval_of_scipys_bootstrap():
    values = np.arange(30) ** 6 / 30**6
    found = estimate_figures(
        lambda weights: {"mean": np.average(values, weights=weights)}, np.arange(30), 9999, 0.95, seed=1
    )
    theirs, plain = (
        bootstrap((values,), np.mean, method=method, n_resamples=9999, rng=np.random.default_rng(1)).confidence_interval
        for method in ("BCa", "percentile")
    )
    assert found["mean"][1:] == pytest.approx(tuple(theirs))
    assert abs(plain.high - theirs.high) > 0.005  # so that the two can be told apart


def test_a_figure_that_resampling_inflates_is_reflected(rng):
    values = rng.normal(0, 1, (200, 50))  # 50 means, none of them far from 0

    def score(weights):
        return {"distance": np.abs(np.average(values, weights=weights, axis=0)).mean()}

    plain, reflected = (
        estimate_figures(score, np.arange(200), 500, 0.95, 1, inflated)["distance"] for inflated in ((), ("distance",))
    )
    drawn = np.random.default_rng(1).integers(200, size=(500, 200))
    low, high = np.quantile([score(np.bincount(row, minlength=200))["distance"] for row in drawn], [0.025, 0.975])
    assert reflected.low == pytest.approx(max(2 * reflected.value - high, 0))
    assert reflected.high == pytest.approx(max(2 * reflected.value - low, high))
    assert 0 <= reflected.low < plain.low


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


def cover(rng, groups: int, by_group: bool) -> float:
    """Tell how often the interval holds the true share, where images of a group are nearly all right or all wrong."""
    codes, held = np.repeat(np.arange(groups), 40), []
    for _ in range(200):
        hits = rng.random(len(codes)) < rng.beta(0.96, 0.04, groups)[codes]
        found = estimate_share(hits, codes if by_group else np.arange(len(codes)), 0.95)
        held.append(found.low <= 0.96 <= found.high)
    return float(np.mean(held))


@pytest.mark.slow
@pytest.mark.parametrize("groups", [11, 60])
def test_intervals_by_groups_hold_the_true_share_where_those_by_images_do_not(rng, groups):
    assert cover(rng, groups, by_group=True) > 0.92
    assert cover(rng, groups, by_group=False) < 0.6


def test_errors_in_few_groups_are_warned_of(caplog):
    assert count_groups_with_errors(np.arange(40) >= 4, np.arange(40) // 2) == 2
    warn_of_few_groups(10, "These images")
    assert caplog.text == ""
    warn_of_few_groups(2, "These images")
    assert "These images: the errors are in 2 groups; with fewer than 10, bootstrap intervals are rough" in caplog.text


def test_the_seed_decides():
    def score(weights):
        return {"mean": np.average(np.arange(50) % 7, weights=weights)}

    first, same, other = (estimate_figures(score, np.arange(50), 200, 0.9, seed) for seed in (1, 1, 2))
    assert first == same != other
