"""Analyses of several readers and fields, against what published programs print of the same data."""

import numpy as np
import pytest
from scipy.stats import chi2

from leukoscope.evaluation import mrmc
from leukoscope.evaluation.figures_of_merit import FIGURES, covary_by_jackknife
from van_dyke import HEALTHY, ILL, RATINGS, TRUTH, covary_by_delong

CASES = np.arange(len(TRUTH))
# As OR-DBM MRMC 2.51 of the University of Iowa prints them, reader by reader (VanDyke.lrc, trapezoidal areas).
AREAS = [
    [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
    [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
]


def analyse(figure: str = "auc", ratings: np.ndarray = RATINGS):
    figures = FIGURES[figure](ratings, TRUTH)
    return figures, covary_by_jackknife(ratings, TRUTH, FIGURES[figure], CASES)


def test_the_data_are_those_that_were_published():
    assert RATINGS.shape == (2, 5, HEALTHY + ILL)
    np.testing.assert_allclose(FIGURES["auc"](RATINGS, TRUTH), AREAS, atol=5e-9)


def test_random_readers_and_random_cases():
    """By MRMCaov 0.1.8, whose README prints it, and OR-DBM MRMC 2.51."""
    figures, covariances = analyse()
    components = mrmc.average_covariances(covariances)
    np.testing.assert_allclose(components, [0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284], atol=5e-11)
    found = mrmc.compare_for_all_readers(figures, components, 0.95)
    assert found.statistic == pytest.approx(4.456319, abs=5e-7)
    assert (found.df1, found.df2) == (1, pytest.approx(15.25967, abs=5e-6))
    assert found.p == pytest.approx(0.05166569, abs=5e-9)
    assert found.difference == pytest.approx((0.04380032, -0.0003588544, 0.0879594986), abs=5e-9)


def test_fixed_readers_and_random_cases():
    figures, covariances = analyse()
    found = mrmc.compare_for_these_readers(figures, mrmc.average_covariances(covariances), 0.95)
    assert found.statistic == pytest.approx(5.475953, abs=5e-7)
    assert (found.df1, found.df2) == (1, np.inf)
    assert found.p == pytest.approx(0.01927984, abs=5e-9)
    assert found.difference == pytest.approx((0.04380032, 0.00711473, 0.08048591), abs=5e-9)


def test_one_reader_alone():
    """By MRMCaov: reader-specific tests of fixed readers, which it gives as z."""
    figures, covariances = analyse()
    for reader, expected in ((0, (-1.1045864, 0.26933885)), (4, (-2.2734182, 0.02300099))):
        own = covariances[:, [reader]][..., [reader]]
        found = mrmc.compare_for_these_readers(figures[:, [reader]], mrmc.average_covariances(own), 0.95)
        assert (np.sqrt(found.statistic), found.p) == pytest.approx((-expected[0], expected[1]), abs=5e-7)


def test_each_treatment_by_itself():
    figures, covariances = analyse()
    expected = [(0.8970370, 0.8252236, 0.9688505), (0.9408374, 0.8941378, 0.9875369)]
    for treatment, figure in enumerate(expected):
        found = mrmc.estimate_treatment(figures[treatment], covariances[treatment, :, treatment], 0.95)
        assert found == pytest.approx(figure, abs=5e-8)


def test_covariances_by_delong():
    """By MRMCaov with ``cov = DeLong``, in its manual."""
    components = mrmc.average_covariances(covary_by_delong(RATINGS, TRUTH))
    np.testing.assert_allclose(components, [0.0007921325, 0.0003420090, 0.0003395265, 0.0002358497], atol=5e-11)
    found = mrmc.compare_for_all_readers(FIGURES["auc"](RATINGS, TRUTH), components, 0.95)
    assert (found.statistic, found.df2, found.p) == pytest.approx((4.484854, 15.06611, 0.05123303), abs=5e-6)


def test_sensitivity():
    """By MRMCaov's ``binary_sens`` of grades from 3 on, in its manual; only cases that are ill count there."""
    ratings = RATINGS[..., TRUTH] >= 3
    covariances = covary_by_jackknife(ratings, TRUTH[TRUTH], FIGURES["sensitivity"], CASES[TRUTH])
    components = mrmc.average_covariances(covariances)
    np.testing.assert_allclose(components, [0.0023681257, 0.0009943883, 0.0010145903, 0.0006604938], atol=5e-11)
    found = mrmc.compare_for_all_readers(FIGURES["sensitivity"](ratings, TRUTH[TRUTH]), components, 0.95)
    assert (found.statistic, found.df2, found.p) == pytest.approx((6.689493, 15.71732, 0.02008822), abs=5e-6)
    assert found.difference == pytest.approx((0.09777778, 0.0175185, 0.1780371), abs=5e-8)


def test_where_nothing_varies_nothing_is_tested():
    same = np.full((2, 3), 0.8)
    nothing = mrmc.Components(0.0, 0.0, 0.0, 0.0)
    for compare in (mrmc.compare_for_all_readers, mrmc.compare_for_these_readers):
        found = compare(same, nothing, 0.95)
        assert np.isnan([found.statistic, found.p, found.difference.low]).all()
        assert found.difference.value == 0
    assert np.isnan(mrmc.estimate_treatment(same[0], np.zeros((3, 3)), 0.95).low)


def test_where_all_readers_gain_the_same_the_test_is_chi_squared():
    """F with infinite degrees of freedom: here 3 readers gain 0.1 each, with a variance of 3 x (0.002 - 0.001)."""
    figures = np.array([[0.6, 0.7, 0.8], [0.7, 0.8, 0.9]])
    found = mrmc.compare_for_all_readers(figures, mrmc.Components(0.004, 0.001, 0.002, 0.001), 0.95)
    assert (found.statistic, found.df2) == (pytest.approx(3 * 0.005 / 0.003), np.inf)
    assert found.p == pytest.approx(chi2.sf(5, 1))


def test_groups_of_fields_are_left_out_together():
    alike = np.repeat(CASES[:57], 2)
    figures = FIGURES["accuracy"]
    twice, truth = np.repeat(RATINGS[..., :57] >= 3, 2, axis=-1), np.repeat(TRUTH[:57], 2)
    once = covary_by_jackknife(RATINGS[..., :57] >= 3, TRUTH[:57], figures, CASES[:57])
    np.testing.assert_allclose(covary_by_jackknife(twice, truth, figures, alike), once)
    apart = covary_by_jackknife(twice, truth, figures, np.arange(114))
    assert mrmc.average_covariances(apart).error < 0.6 * mrmc.average_covariances(once).error


def test_figures_without_fields_of_a_kind_are_undefined():
    for name in ("auc", "sensitivity"):
        assert np.isnan(FIGURES[name](RATINGS, np.zeros(len(TRUTH), bool))).all()


@pytest.mark.slow
def test_as_many_tests_as_promised_are_wrong():
    """By the model of Roe and Metz (1997): readers, cases and their interactions vary, treatments do not differ."""
    rng = np.random.default_rng(5)
    truth = np.repeat([False, True], 30)
    wrong = {"all": 0, "these": 0}
    for _ in range(400):
        readers, cases = rng.normal(0, 0.1, (5, 2)), rng.normal(0, 0.5, 60)
        parts = rng.normal(0, 0.5, (2, 60))[:, None] + rng.normal(0, 0.45, (5, 60)) + rng.normal(0, 0.55, (2, 5, 60))
        ratings = 1.2 * truth + readers[:, truth.astype(int)] + cases + parts
        figures = FIGURES["auc"](ratings, truth)
        components = mrmc.average_covariances(covary_by_delong(ratings, truth))
        wrong["all"] += mrmc.compare_for_all_readers(figures, components, 0.95).p < 0.05
        wrong["these"] += mrmc.compare_for_these_readers(figures, components, 0.95).p < 0.05
    # 20 are expected at a level of 5 %, from 11 to 29 within two standard deviations
    assert 9 <= wrong["all"] <= 31
    assert 9 <= wrong["these"] <= 31
