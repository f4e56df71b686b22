import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

from leukoscope.evaluation.significance import compare_pairs, estimate_difference, permute_groups

DRAWS = {"confidence": 0.95, "seed": 1}


def hits(both: int, first: int, second: int, neither: int) -> dict[str, np.ndarray]:
    ours = np.repeat([True, True, False, False], [both, first, second, neither])
    theirs = np.repeat([True, False, True, False], [both, first, second, neither])
    return {"a": ours, "b": theirs}


def test_mcnemars_p_is_that_of_the_binomial_distribution():
    pair = compare_pairs(hits(50, 15, 5, 30), np.arange(100), **DRAWS).iloc[0]
    assert (pair["only_first"], pair["only_second"]) == (15, 5)
    assert pair["mcnemar_p"] == pytest.approx(binomtest(5, 20).pvalue)
    assert pair["difference"] == pytest.approx(0.1)


def test_holms_correction_is_that_of_his_definition():
    rng = np.random.default_rng(3)
    table = compare_pairs(
        {name: rng.random(200) < share for name, share in zip("abcd", (0.9, 0.85, 0.8, 0.6), strict=True)},
        np.arange(200),
        **DRAWS,
    )
    ordered = table.sort_values("mcnemar_p")
    by_hand = np.minimum(1, np.maximum.accumulate(ordered["mcnemar_p"].to_numpy() * np.arange(6, 0, -1)))
    assert ordered["mcnemar_p_holm"].to_numpy() == pytest.approx(by_hand)


@pytest.mark.slow
def test_copies_do_not_show_a_difference():
    many = {name: np.repeat(values, 40) for name, values in hits(5, 4, 0, 1).items()}
    apart, together = (
        compare_pairs(many, groups, **DRAWS).iloc[0] for groups in (np.arange(400), np.arange(400) // 40)
    )
    assert apart["shown"]
    assert not together["shown"]
    assert together["mcnemar_p"] < 1e-6
    assert together["group_p"] == pytest.approx(2 / 2**4)  # all four groups for one side or for the other


@pytest.mark.slow
def test_equal_classifiers_are_seldom_told_apart_when_accuracy_varies_by_group():
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(9), 40)
    called = 0
    for _ in range(20):
        levels = rng.uniform(0.6, 1.0, (4, 9))
        right = {name: rng.random(360) < level[groups] for name, level in zip("abcd", levels, strict=True)}
        called += compare_pairs(right, groups, confidence=0.95, seed=1)["shown"].any()
    assert called <= 3


def test_alike_classifiers_have_no_difference():
    pair = compare_pairs(hits(50, 0, 0, 30), np.arange(80), **DRAWS).iloc[0]
    assert pair["group_p"] == pair["mcnemar_p"] == 1
    assert not pair["shown"]


def test_each_is_compared_with_a_reference_only_and_corrected_for_so_many_pairs():
    rng = np.random.default_rng(3)
    right = {name: rng.random(200) < share for name, share in zip("abc", (0.9, 0.8, 0.6), strict=True)}
    table = compare_pairs(right, np.arange(200), **DRAWS, reference="b")
    assert table[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["c", "b"]]
    assert table["mcnemar_p_holm"].min() == pytest.approx(2 * table["mcnemar_p"].min())
    assert (table["groups"] == 200).all()


def test_the_p_of_groups_is_that_of_every_swap(rng):
    for gains in (rng.integers(-3, 4, 11), np.array([5, -1, 0, 2])):
        every = permutation_test(
            (gains,),
            lambda one, axis: one.sum(axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
        )
        assert permute_groups(gains) == pytest.approx(every.pvalue)


@pytest.mark.parametrize(("only_first", "only_second"), [(7, 1), (5, 0), (6, 0), (9, 1), (8, 2), (2, 9)])
def test_the_interval_leaves_out_zero_only_where_the_test_does(only_first, only_second):
    pair = compare_pairs(hits(380, only_first, only_second, 3), np.arange(383 + only_first + only_second), **DRAWS)
    low, high, p = pair.loc[0, ["low", "high", "group_p"]]
    assert p == pytest.approx(binomtest(only_first, only_first + only_second).pvalue)
    assert (low <= 0 <= high) is bool(p >= 0.05)
    assert low < pair.loc[0, "difference"] < high


@pytest.mark.slow
def test_the_interval_holds_the_true_difference(rng):
    held = []
    for _ in range(100):
        drawn = rng.random(150)
        ours, theirs = drawn < 0.9, (drawn < 0.8) | (rng.random(150) < 0.1)
        found, _ = estimate_difference(ours, theirs, np.arange(150), **DRAWS)
        held.append(found.low <= 0.9 - (0.8 + 0.2 * 0.1) <= found.high)
    assert np.mean(held) > 0.88


def test_what_is_shown_is_corrected_for_the_number_of_pairs():
    # Seven images that only one of a pair gets right: p is 2 / 2**7, below the level by itself, and not six-fold.
    images = np.arange(100)
    right = {name: (images < 30) | (images // 7 == 6 + number) for number, name in enumerate("abc")}
    right["d"] = images < 30
    table = compare_pairs(right, images, **DRAWS)
    with_none = table[table["second"] == "d"]
    assert with_none["group_p"].to_numpy() == pytest.approx(2 / 2**7)
    assert with_none["group_p_holm"].to_numpy() == pytest.approx(6 * 2 / 2**7)
    assert not table["shown"].any()


@pytest.mark.parametrize(("only_first", "only_second"), [(22, 10), (42, 25)])
def test_interval_and_test_agree_where_the_swaps_would_not(only_first, only_second):
    # p is 0.0501 and 0.0498; of so many random swaps 0.0452 and 0.0508 differ as much.
    both = hits(0, only_first, only_second, 100)
    found, p = estimate_difference(both["a"], both["b"], np.arange(len(both["a"])), confidence=0.95, seed=2)
    assert bool(found.low <= 0) is bool(p >= 0.05)
