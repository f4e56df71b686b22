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
    assert pair["p"] == pytest.approx(binomtest(5, 20).pvalue)
    assert pair["difference"] == pytest.approx(0.1)


def test_holms_correction_is_that_of_his_definition():
    rng = np.random.default_rng(3)
    table = compare_pairs(
        {name: rng.random(200) < share for name, share in zip("abcd", (0.9, 0.85, 0.8, 0.6), strict=True)},
        np.arange(200),
        **DRAWS,
    )
    ordered = table.sort_values("p")
    by_hand = np.minimum(1, np.maximum.accumulate(ordered["p"].to_numpy() * np.arange(6, 0, -1)))
    assert ordered["p_holm"].to_numpy() == pytest.approx(by_hand)


def test_copies_do_not_make_a_difference_real():
    few = hits(6, 3, 0, 1)
    many = {name: np.repeat(values, 40) for name, values in few.items()}
    groups = np.repeat(np.arange(10), 40)
    assert compare_pairs(many, np.arange(400), **DRAWS)["real"].tolist() == [True]
    assert compare_pairs(many, groups, **DRAWS)["p"].iloc[0] < 0.001
    alike = {name: np.repeat(values, 40) for name, values in hits(8, 1, 0, 1).items()}
    assert compare_pairs(alike, groups, **DRAWS)["real"].tolist() == [False]
