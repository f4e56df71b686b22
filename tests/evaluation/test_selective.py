import numpy as np
import pytest
from scipy.stats import beta

from leukoscope.evaluation.selective import (
    NEVER,
    choose_threshold,
    choose_unproven,
    count_needed,
    measure_aurc,
    trace_risk,
)


def test_the_curve_of_risk_gives_opinions_of_one_confidence_together():
    hits = np.array([True, False, True, False])
    coverage, risk, levels = trace_risk(hits, np.array([0.9, 0.8, 0.8, 0.5]))
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0, 1 / 3, 0.5])
    assert levels.tolist() == [0.9, 0.8, 0.5]


def test_the_area_under_risk_and_coverage_is_the_mean_of_the_selective_risks():
    # Geifman et al. 2019: the surest two are right, the others wrong, so that risks are 0, 0, 1/3 and 2/4.
    hits, confidence = np.array([True, True, False, False]), np.array([0.9, 0.8, 0.7, 0.6])
    assert measure_aurc(hits, confidence) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    # Two of one confidence are given together: risks 0, 1/3, 1/3 and 2/4.
    assert measure_aurc(hits, np.array([0.9, 0.8, 0.8, 0.6])) == pytest.approx((0 + 1 / 3 + 1 / 3 + 2 / 4) / 4)


def test_risk_and_coverage_count_images_by_their_weight(rng):
    hits, confidence, weights = rng.random(30) < 0.8, rng.random(30).round(1), rng.integers(0, 3, 30)
    twice = np.repeat(np.arange(30), weights)
    assert measure_aurc(hits, confidence, weights) == pytest.approx(measure_aurc(hits[twice], confidence[twice]))


@pytest.mark.parametrize(("target", "threshold"), [(0.01, 0.9), (0.34, 0.8), (0.5, 0.0)])
def test_an_unproven_threshold_keeps_to_the_error_on_the_same_images(target, threshold):
    confidence = np.array([0.9, 0.8, 0.8, 0.5])
    assert choose_unproven(np.array([True, False, True, False]), confidence, target) == threshold


def test_so_many_groups_without_an_error_show_a_target():
    assert count_needed(0.02, 0.05) == 149
    assert [beta.ppf(0.95, 1, groups) <= 0.02 for groups in (148, 149)] == [False, True]
    for images, threshold in ((148, NEVER), (149, 0.0)):
        found = choose_threshold(np.ones(images, bool), np.linspace(0.5, 1, images), np.arange(images), 0.02, 0.05)
        assert found.confidence == threshold
        assert found.needed == 149
    assert found.error_bound == pytest.approx(beta.ppf(0.95, 1, 149))


def test_copies_show_no_more_than_one():
    groups = np.arange(298) // 2
    found = choose_threshold(np.ones(298, bool), np.linspace(0.5, 1, 298), groups, 0.02, 0.05)
    assert found.error_bound == pytest.approx(beta.ppf(0.95, 1, 149))
    assert found.groups == 149
    less = choose_threshold(np.ones(296, bool), np.linspace(0.5, 1, 296), np.arange(296) // 2, 0.02, 0.05)
    assert less.confidence == NEVER


def test_groups_of_different_sizes_count_as_the_largest():
    groups = np.repeat(np.arange(40), np.arange(1, 41))
    found = choose_threshold(np.ones(820, bool), np.ones(820), groups, 0.2, 0.05)
    assert found.groups == pytest.approx(820 / 40)


def test_errors_that_lie_in_large_groups_are_not_overlooked(rng):
    # One group in fifty has ten images, and only these are ever wrong, as a whole: 1.7 % of all images are.
    above = 0
    for _ in range(200):
        large = rng.random(510) < 0.02
        groups = np.repeat(np.arange(510), np.where(large, 10, 1))
        hits = ~(large & (rng.random(510) < 0.1))[groups]
        above += choose_threshold(hits, rng.random(len(hits)), groups, 0.0145, 0.05).confidence <= 1
    assert above <= 0.05 * 200


def test_opinions_are_given_down_to_where_the_bound_still_holds():
    # The surest 100 are right, every other one of the others is wrong.
    hits = (np.arange(200) < 100) | (np.arange(200) % 2 == 0)
    confidence = np.linspace(1, 0.5, 200)
    found = choose_threshold(hits, confidence, np.arange(200), 0.05, 0.05)
    given = confidence >= found.confidence
    wrong, number = (~hits[given]).sum(), given.sum()
    assert number >= 100
    level = 0.05  # one sequence, from 100 images on: 50 could not show 5 %
    assert beta.ppf(1 - level, wrong + 1, number - wrong) == pytest.approx(found.error_bound)
    assert found.error_bound <= 0.05
    more = number + 1
    assert beta.ppf(1 - level, wrong + (not hits[number]) + 1, more - wrong - (not hits[number])) > 0.05


def test_sequences_share_the_level():
    # Of 1,000 images they start at 500, 250 and 125: 62 could not show 5 % at a quarter of the level.
    found = choose_threshold(np.ones(1000, bool), np.linspace(1, 0.5, 1000), np.arange(1000), 0.05, 0.05)
    assert found.error_bound == pytest.approx(1 - (0.05 / 3) ** (1 / 1000))


def test_one_sure_error_among_many_images_costs_no_opinions():
    hits, confidence = np.arange(1000) != 5, np.linspace(1, 0.5, 1000)
    assert choose_threshold(hits, confidence, np.arange(1000), 0.02, 0.05).confidence == 0.0


def test_opinions_of_one_confidence_are_given_together():
    hits = np.arange(300) < 200
    found = choose_threshold(hits, np.where(np.arange(300) < 150, 0.9, 0.8), np.arange(300), 0.02, 0.05)
    assert found.confidence == pytest.approx(0.85)
    assert choose_threshold(hits, np.full(300, 0.9), np.arange(300), 0.02, 0.05).confidence == NEVER
    assert choose_threshold(hits[:0], hits[:0] + 0.0, hits[:0], 0.02, 0.05).confidence == NEVER


@pytest.mark.parametrize(
    ("risk", "images", "target"),
    [
        (lambda confidence: np.full(len(confidence), 0.1001), 96, 0.1),
        (lambda confidence: 0.3 * (1 - confidence), 96, 0.1),
        (lambda confidence: 0.5 * (1 - confidence) ** 3, 390, 0.02),
        (lambda confidence: np.full(len(confidence), 0.0201), 390, 0.02),
    ],
)
def test_the_true_error_is_seldom_above_the_target(rng, risk, images, target):
    grid = np.linspace(0, 1, 20_001)
    above = 0
    for _ in range(400):
        confidence = rng.random(images)
        hits = rng.random(images) >= risk(confidence)
        threshold = choose_threshold(hits, confidence, np.arange(images), target, 0.05).confidence
        above += threshold <= 1 and risk(grid[grid >= threshold]).mean() > target
    assert above <= 0.05 * 400


def test_the_true_error_is_seldom_above_the_target_where_groups_go_together(rng):
    above = 0
    for _ in range(300):
        groups = rng.integers(0, 60, 300)
        hits = (rng.random(60) >= 0.101)[groups]
        above += choose_threshold(hits, rng.random(300), groups, 0.1, 0.05).confidence <= 1
    assert above <= 0.05 * 300
