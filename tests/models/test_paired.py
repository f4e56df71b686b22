import numpy as np
import pytest
from scipy.stats import binomtest

from leukoscope.models.paired import compare_pairs

DRAWS = {"resamples": 300, "confidence": 0.95, "seed": 1}


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


def test_copies_do_not_make_a_difference_real():
    many = {name: np.repeat(values, 40) for name, values in hits(5, 4, 0, 1).items()}
    apart, together = (
        compare_pairs(many, groups, **DRAWS).iloc[0] for groups in (np.arange(400), np.arange(400) // 40)
    )
    assert apart["real"]
    assert not together["real"]
    assert together["mcnemar_p"] < 1e-6
    assert together["group_p"] == pytest.approx(2 / 2**4)  # all four groups for one side or for the other


def test_equal_classifiers_are_seldom_told_apart_when_accuracy_varies_by_group():
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(9), 40)
    called = 0
    for _ in range(20):
        levels = rng.uniform(0.6, 1.0, (4, 9))
        right = {name: rng.random(360) < level[groups] for name, level in zip("abcd", levels, strict=True)}
        called += compare_pairs(right, groups, resamples=5, confidence=0.95, seed=1)["real"].any()
    assert called <= 3


def test_alike_classifiers_have_no_difference():
    pair = compare_pairs(hits(50, 0, 0, 30), np.arange(80), **DRAWS).iloc[0]
    assert pair["group_p"] == pair["mcnemar_p"] == 1
    assert not pair["real"]


def test_each_is_compared_with_a_reference_only_and_corrected_for_so_many_pairs():
    rng = np.random.default_rng(3)
    right = {name: rng.random(200) < share for name, share in zip("abc", (0.9, 0.8, 0.6), strict=True)}
    table = compare_pairs(right, np.arange(200), **DRAWS, reference="b")
    assert table[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["c", "b"]]
    assert table["mcnemar_p_holm"].min() == pytest.approx(2 * table["mcnemar_p"].min())
    assert (table["groups"] == 200).all()
