"""Differences over seeds: equal models are told apart no more often than the level says, and different ones are."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import ttest_1samp

from leukoscope.evaluation.crossed import compare_over_seeds, divide_variance, estimate_mean, estimate_over_seeds
from leukoscope.evaluation.significance import compare_pairs


def simulate(
    rng: np.random.Generator,
    seeds: int,
    groups: int,
    size: int,
    between_seeds: float,
    better: float = 0.0,
    base: float = 1.5,
    *,
    lasting: float = 0.0,
    uneven: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the difference in hits of two models ``[seeds, n]``, and the groups of the images.

    The log odds of a hit are those of the group, of the model on the group whatever its seed, which is what makes
    images random, of the training, and of the training on the group; ``better`` is added for the first model.

    Args:
        rng: For all of this.
        seeds: How many.
        groups: How many.
        size: Images of each group; on average where they are ``uneven``.
        between_seeds: Standard deviation of trainings.
        better: By how much the first model is.
        base: Of an average image.
        lasting: Standard deviation of the model on the group.
        uneven: Whether sizes of groups are drawn.
    """
    codes = np.repeat(np.arange(groups), rng.geometric(1 / size, groups) if uneven else size)
    difficulty = rng.normal(0, 1, groups)[codes]

    def draw(shift: float) -> np.ndarray:
        training = rng.normal(0, between_seeds, (seeds, 1))
        on_group = (rng.normal(0, lasting, groups) + rng.normal(0, 0.8, (seeds, groups)))[:, codes]
        return rng.random((seeds, len(codes))) < expit(base + shift + difficulty + training + on_group)

    return draw(better).astype(float) - draw(0.0), codes


def share_rejected(count: int, *settings: float, **more: float) -> float:
    rng = np.random.default_rng(20)
    drawn = (simulate(rng, *settings, **more) for _ in range(count))
    return float(np.mean([estimate_mean(values, groups, 0.95)[1] < 0.05 for values, groups in drawn]))


@pytest.mark.parametrize(
    "settings",
    [
        (2, 60, 2, 0.4),
        (2, 40, 5, 1.2),
        (3, 40, 1, 0.0),
        (3, 40, 1, 0.4),
        (3, 100, 1, 1.2),
        (3, 12, 4, 0.4),
        (5, 60, 2, 0.4),
    ],
    ids=str,
)
def test_models_that_differ_by_their_seed_only_are_told_apart_no_more_often_than_the_level(settings):
    count = 800
    assert share_rejected(count, *settings) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / count)


@pytest.mark.parametrize(
    "settings",
    [(2, 60, 2, 0.4), (3, 100, 1, 0.1), (3, 40, 4, 0.1), (3, 12, 4, 0.4), (5, 60, 2, 0.4), (10, 40, 3, 0.1)],
    ids=str,
)
@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
def test_so_are_models_that_have_other_images_that_are_hard(settings, uneven):
    """Each model lastingly errs on images of its own: with images taken for fixed it would differ from the other."""
    count = 2000
    rejected = share_rejected(count, *settings, lasting=1.0, uneven=uneven)
    assert rejected <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / count)


def test_so_are_models_of_which_few_images_are_wrong():
    assert share_rejected(400, 3, 40, 1, 0.3, base=4.5) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
def test_a_test_that_leaves_seeds_out_tells_equal_models_apart_far_too_often():
    rng, rejected, groups = np.random.default_rng(3), 0, np.arange(150)
    for _ in range(60):
        values, _ = simulate(rng, 1, 150, 1, 0.6)
        ours, theirs = values[0] > 0, values[0] < 0
        rejected += compare_pairs({"a": ours, "b": theirs}, groups, 0.95, 0)["group_p"].item() < 0.05
    assert rejected / 60 > 0.2


def test_a_test_that_leaves_images_out_does_too_where_models_err_lastingly_on_other_images():
    rng = np.random.default_rng(3)
    drawn = (simulate(rng, 10, 40, 3, 0.1, lasting=1.0)[0].mean(axis=1) for _ in range(200))
    assert np.mean([ttest_1samp(values, 0).pvalue < 0.05 for values in drawn]) > 0.2


@pytest.mark.parametrize(("seeds", "least"), [(3, 0.6), (5, 0.9)])
def test_different_models_are_told_apart_the_better_the_more_seeds(seeds, least):
    assert share_rejected(150, seeds, 150, 2, 0.2, better=1.0) > least


def test_an_interval_covers_the_difference():
    rng = np.random.default_rng(8)
    truth = np.mean([simulate(rng, 20, 400, 1, 0.3, better=0.8)[0].mean() for _ in range(60)])
    covered = 0
    for _ in range(300):
        estimate, _ = estimate_mean(*simulate(rng, 3, 80, 2, 0.3, better=0.8), 0.95)
        covered += estimate.low <= truth <= estimate.high
    assert covered / 300 > 0.92


def test_the_parts_of_the_variance_are_those_of_the_crossed_layout():
    """Of groups of one image: the mean squares of a two-way analysis of variance without replication."""
    values = np.random.default_rng(2).normal(size=(4, 30)) + np.linspace(-1, 1, 30) + np.array([[0.0], [3], [0], [-3]])
    of_seeds = 30 * values.mean(axis=1).var(ddof=1)
    of_cases = 4 * values.mean(axis=0).var(ddof=1)
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    of_both = (rest**2).sum() / (3 * 29)
    variance = divide_variance(values, np.arange(30))
    assert variance.seeds == pytest.approx(of_seeds / 120)
    assert variance.cases == pytest.approx((of_cases - of_both) / 120)


def test_seeds_that_agree_by_chance_do_not_count_as_none():
    """Their part is at least what seeds and groups add together, however near the means of seeds are."""
    values = np.array([[1.0, 0, 0, 1, 0, 1], [0, 1, 1, 0, 1, 0]])
    assert values.mean(axis=1).var() == 0
    assert divide_variance(values, np.arange(6)).seeds > 0


def test_real_are_differences_that_are_shown_over_three_seeds_or_more():
    groups, n = np.arange(200), 200
    good, bad = np.arange(n) % 10 > 0, np.arange(n) % 2 > 0
    verdicts = {}
    for seeds in (1, 2, 3):
        rng = np.random.default_rng(seeds)
        drawn = {
            name: np.array([rng.permutation(one) for _ in range(seeds)]) for name, one in (("a", good), ("b", bad))
        }
        row = compare_over_seeds(drawn, groups, 0.95, 0).iloc[0]
        assert row["difference"] == pytest.approx(0.4)
        verdicts[seeds] = (bool(row["shown"]), bool(row["real"]), np.isnan(row["seed_sd"]))
    assert verdicts[1] == (True, False, True)
    assert not verdicts[2][1]
    assert verdicts[3] == (True, True, False)


def test_holm_corrects_for_all_pairs_and_no_model_is_compared_with_itself():
    rng = np.random.default_rng(1)
    hits = {name: rng.random((3, 50)) < 0.7 for name in ("a", "b", "c")}
    table = compare_over_seeds(hits, np.arange(50), 0.95, 0)
    assert table[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert (table["p_holm"] >= table["p"]).all()
    assert compare_over_seeds({"a": hits["a"]}, np.arange(50), 0.95, 0).empty


def test_models_that_are_right_about_the_same_images_do_not_differ():
    hits = {name: np.ones((3, 20), bool) for name in ("a", "b")}
    row = compare_over_seeds(hits, np.arange(20), 0.95, 0).iloc[0]
    assert (row["difference"], row["p"], row["shown"]) == (0, 1, False)
    assert np.isnan(row["low"])


def test_a_model_that_is_right_wherever_the_other_is_wrong_is_told_apart_though_nothing_varies():
    hits = {"a": np.ones((3, 20), bool), "b": np.zeros((3, 20), bool)}
    row = compare_over_seeds(hits, np.arange(20), 0.95, 0).iloc[0]
    assert (row["difference"], row["p"]) == (1, pytest.approx(2 / 2**20))
    few = compare_over_seeds({name: one[:, :4] for name, one in hits.items()}, np.arange(4), 0.95, 0).iloc[0]
    assert few["p"] == pytest.approx(2 / 2**4)


def test_figures_over_seeds_have_intervals_between_0_and_1_that_hold_the_seeds():
    rng = np.random.default_rng(4)
    hits = rng.random((3, 200)) < 0.95

    def make(shares):
        moved = [np.where(rng.random(200) < share, hits[number], False) for number, share in enumerate(shares)]
        return [lambda weights, own=own: {"accuracy": float(np.average(own, weights=weights))} for own in moved]

    alike = estimate_over_seeds(make((1, 1, 1)), np.arange(200), 100, 0.95, 0)["accuracy"]
    apart = estimate_over_seeds(make((1, 0.8, 0.6)), np.arange(200), 100, 0.95, 0)["accuracy"]
    assert 0 < alike.low < alike.value < alike.high < 1
    assert apart.high - apart.low > 2 * (alike.high - alike.low)
    single = estimate_over_seeds(make((1,)), np.arange(200), 100, 0.95, 0)["accuracy"]
    assert np.isnan(single.low)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [5, 8, 20])
def test_intervals_of_figures_cover_the_truth_where_groups_are_few(groups):
    """Seeds hardly differ here, so that the width is that of groups."""
    rng, codes, count, covered = np.random.default_rng(5), np.repeat(np.arange(groups), 20), 400, 0
    shares = rng.normal(0.7, 0.1, (count, groups))
    for drawn in shares:
        hits = rng.random((3, len(codes))) < drawn[codes]
        score = [lambda weights, own=own: {"accuracy": float(np.average(own, weights=weights))} for own in hits]
        estimate = estimate_over_seeds(score, codes, 150, 0.95, 0)["accuracy"]
        covered += estimate.low <= 0.7 <= estimate.high
    assert covered / count >= 0.95 - 2.5 * np.sqrt(0.05 * 0.95 / count)
