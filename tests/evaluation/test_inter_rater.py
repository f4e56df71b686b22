"""Coefficients of agreement, against worked examples that were published."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa

from leukoscope.evaluation import inter_rater as own

# Krippendorff 2011, Computing Krippendorff's alpha-reliability, section C: 4 observers, 12 units, 5 classes, ratings
# that are missing. He gives alpha 0.743; Gwet's R package irrCAC has the same data as cac.raw4raters, and prints
# percent agreement 0.8181818, AC1 0.77544 and alpha 0.74342 for it.
_, A, B, C, D, E = range(-1, 5)
OBSERVERS = np.array(
    [
        [A, A, _, A],
        [B, B, C, B],
        [C, C, C, C],
        [C, C, C, C],
        [B, B, B, B],
        [A, B, C, D],
        [D, D, D, D],
        [A, A, B, A],
        [B, B, B, B],
        [_, E, E, E],
        [_, _, A, A],
        [_, _, C, _],
    ]
)
# Gwet 2014, Handbook of inter-rater reliability: two abstractors sort 100 pregnancies; irrCAC's cont3x3abstractors, for
# which it prints kappa 0.7964094, AC1 0.8493305, alpha 0.7972585 and percent agreement 0.89.
ABSTRACTORS = np.array([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
# Six psychiatrists sort 15 patients, of Fleiss 1971 by Gwet 2014; irrCAC's distrib.6raters, for which it prints AC1
# 0.4448007, Fleiss' kappa 0.4139265 and alpha 0.4204384.
PSYCHIATRISTS = np.array(
    [
        [0, 0, 0, 6, 0],
        [0, 3, 0, 0, 3],
        [0, 1, 4, 0, 1],
        [0, 0, 0, 0, 6],
        [0, 3, 0, 3, 0],
        [2, 0, 4, 0, 0],
        [0, 0, 4, 0, 2],
        [2, 0, 3, 1, 0],
        [2, 0, 0, 4, 0],
        [0, 0, 0, 0, 6],
        [1, 0, 0, 5, 0],
        [1, 1, 0, 4, 0],
        [0, 3, 3, 0, 0],
        [1, 0, 0, 5, 0],
        [0, 2, 0, 3, 1],
    ],
    float,
)


def spread(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the classes of each field of a table of two readers."""
    first, second = np.indices(table.shape)
    return np.repeat(first.ravel(), table.ravel()), np.repeat(second.ravel(), table.ravel())


def measure(counts: np.ndarray) -> dict[str, float]:
    return {name: one(counts, np.ones(len(counts))) for name, one in own.COEFFICIENTS.items()}


def test_krippendorffs_example_with_missing_ratings():
    figures = measure(own.count_ratings(OBSERVERS, 5))
    assert figures["krippendorff_alpha"] == pytest.approx(0.743421, abs=1e-6)
    assert figures["gwet_ac1"] == pytest.approx(0.77544, abs=1e-5)
    assert figures["agreement"] == pytest.approx(0.8181818, abs=1e-7)


def test_gwets_two_abstractors():
    first, second = spread(ABSTRACTORS)
    figures = measure(own.count_ratings(np.column_stack([first, second]), 3))
    assert figures["agreement"] == pytest.approx(0.89)
    assert figures["gwet_ac1"] == pytest.approx(0.8493305, abs=1e-7)
    assert figures["krippendorff_alpha"] == pytest.approx(0.7972585, abs=1e-7)
    assert own.measure_cohen_kappa(first, second, np.ones(100), 3) == pytest.approx(0.7964094, abs=1e-7)


def test_gwets_six_psychiatrists():
    figures = measure(PSYCHIATRISTS)
    assert figures["gwet_ac1"] == pytest.approx(0.4448007, abs=1e-7)
    assert figures["krippendorff_alpha"] == pytest.approx(0.4204384, abs=1e-7)
    assert figures["agreement"] == pytest.approx(0.5511111, abs=1e-7)
    # alpha is Fleiss' kappa with a correction for few ratings
    corrected = 1 - (1 - fleiss_kappa(PSYCHIATRISTS)) * (1 - 1 / PSYCHIATRISTS.sum())
    assert figures["krippendorff_alpha"] == pytest.approx(corrected)


def test_cohens_example():
    """200 patients in three classes: Cohen 1968, Weighted kappa, who gives an unweighted kappa of 0.492.

    The R package psych has the same matrix, and says so, in the examples of `cohen.kappa`.
    """
    table = np.array([[88, 10, 2], [14, 40, 6], [18, 10, 12]])
    kappa = own.measure_cohen_kappa(*spread(table), np.ones(200), 3)
    assert kappa == pytest.approx((0.70 - 0.41) / (1 - 0.41))
    assert round(kappa, 3) == 0.492


def test_weights_are_fields_that_are_drawn_again():
    rng = np.random.default_rng(0)
    times = rng.integers(0, 4, len(OBSERVERS))
    drawn = own.count_ratings(np.repeat(OBSERVERS, times, axis=0), 5)
    for name, one in own.COEFFICIENTS.items():
        assert one(own.count_ratings(OBSERVERS, 5), times.astype(float)) == pytest.approx(measure(drawn)[name])
    first, second, weights = rng.integers(0, 3, 50), rng.integers(0, 3, 50), rng.integers(0, 4, 50).astype(float)
    expected = cohen_kappa_score(first, second, sample_weight=weights)
    assert own.measure_cohen_kappa(first, second, weights, 3) == pytest.approx(expected)


def test_fields_that_one_rates_alone_are_left_out_of_pairs():
    first, second = np.array([0, 1, 1, 0, _]), np.array([0, 1, 0, _, 1])
    weights = np.ones(5)
    assert own.measure_cohen_kappa(first, second, weights, 2) == pytest.approx(0.4)  # 2/3 seen, 4/9 by chance
    figures = own.estimate_pair(first, second, 2, np.arange(5), 50, 0.95, 0)
    assert figures["agreement"].value == pytest.approx(2 / 3)
    assert figures["cohen_kappa"].value == pytest.approx(0.4)


def test_what_chance_alone_explains_is_undefined():
    same = np.zeros((4, 2), int)
    figures = own.estimate_agreement(same, 2, np.arange(4), 20, 0.95, 0)
    assert figures["agreement"].value == figures["gwet_ac1"].value == 1
    assert np.isnan(figures["krippendorff_alpha"].value)
    assert np.isnan(own.measure_cohen_kappa(same[:, 0], same[:, 1], np.ones(4), 2))
    alone = np.array([[0, _], [_, 1]])
    assert np.isnan([one.value for one in own.estimate_agreement(alone, 2, np.arange(2), 20, 0.95, 0).values()]).all()
    assert np.isnan([one.value for one in own.estimate_pair(*alone.T, 2, np.arange(2), 20, 0.95, 0).values()]).all()


def test_an_interval_is_by_groups():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 8)
    right = np.repeat(rng.random(12) < 0.6, 8)  # readers agree on all fields of a group, or on none
    first = rng.integers(0, 3, 96)
    ratings = np.column_stack([first, np.where(right, first, (first + 1) % 3)])
    by_field, by_group = (
        own.estimate_agreement(ratings, 3, chosen, 200, 0.95, 0)["krippendorff_alpha"]
        for chosen in (np.arange(96), groups)
    )
    assert by_group.value == by_field.value
    assert by_group.high - by_group.low > 1.5 * (by_field.high - by_field.low)


def test_labels_become_numbers():
    assert own.number_classes([["b", None], ["not assessable", "a"]], ["a", "b"]).tolist() == [[1, _], [_, 0]]
