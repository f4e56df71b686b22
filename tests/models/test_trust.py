import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator

from leukoscope.models import trust
from leukoscope.models.trust import (
    Calibration,
    apply_temperature,
    bin_confidence,
    form_opinions,
    form_prediction_sets,
    measure_aurc,
    measure_calibration_error,
    score_prediction_sets,
    score_trust,
    trace_risk,
)


def calibrate(truth, probabilities, target_error: float) -> Calibration:
    return trust.calibrate(truth, probabilities, np.arange(len(truth)) / len(truth), target_error, 0.1)


def judge(truth, probabilities, calibration: Calibration) -> dict[str, float]:
    calibrated = apply_temperature(probabilities, calibration.temperature)
    return score_trust(truth, probabilities, calibrated, calibrated.max(axis=1) >= calibration.threshold)


def draw(rng, count: int, overconfidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw classes from known probabilities, and what a classifier says that is too sure of them."""
    logits = rng.normal(0, 1.5, (count, 4))
    honest = apply_temperature(np.exp(logits), 1.0)
    truth = (rng.random((count, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(max=3)
    return truth, apply_temperature(np.exp(logits), 1 / overconfidence)


def test_the_temperature_undoes_overconfidence(rng):
    found = calibrate(*draw(rng, 8000, overconfidence=2.5), target_error=0.1)
    assert found.temperature == pytest.approx(2.5, rel=0.07)


class Given(ClassifierMixin, BaseEstimator):
    """Answers with the logits that it is asked about."""

    def fit(self, logits, truth):
        self.classes_ = np.unique(truth)
        return self

    def decision_function(self, logits):
        return logits

    def predict(self, logits):
        return logits.argmax(axis=1)


def test_the_temperature_is_that_of_scikit_learn(rng):
    pytest.importorskip("sklearn", minversion="1.8")
    truth, probabilities = draw(rng, 800, 2.5)
    logits = np.log(probabilities)
    theirs = CalibratedClassifierCV(FrozenEstimator(Given().fit(logits, truth)), method="temperature")
    expected = theirs.fit(logits, truth).predict_proba(logits)
    found = calibrate(truth, probabilities.astype("float32"), target_error=0.1)
    assert apply_temperature(probabilities, found.temperature) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("wrong", "temperature"), [(0, 1.0), (3, pytest.approx(0.5, abs=0.1))])
def test_where_nothing_is_wrong_nothing_is_learned_of_over_confidence(caplog, wrong, temperature):
    truth = (np.arange(300) < wrong).astype(int)
    found = calibrate(truth, np.tile([0.9, 0.1], (300, 1)), target_error=0.1)
    assert found.temperature == temperature
    assert ("No validation image is wrong" in caplog.text) is (wrong == 0)


def test_one_sure_error_in_single_precision_counts_as_much_as_it_should(rng):
    logits = np.column_stack([np.full(200, 60.0), np.zeros(200)])
    truth = (np.arange(200) < 4).astype(int)
    found = calibrate(truth, softmax(logits, axis=1).astype("float32"), target_error=0.1)
    assert 60 / found.temperature == pytest.approx(np.log(196 / 4), rel=0.01)  # as sure as it is right


def test_an_error_that_was_held_for_impossible_softens_and_never_sharpens():
    # What scikit-learn's log loss clips would be lowest for the coldest temperature, where errors count no more.
    truth = (np.arange(100) < 25).astype(int)
    probabilities = np.where(truth[:, None] == 1, [1.0, 0.0], [0.7, 0.3])
    assert calibrate(truth, probabilities, target_error=0.1).temperature == pytest.approx(20, rel=0.01)


def test_a_temperature_at_the_end_of_those_looked_through_is_told(caplog):
    truth = np.arange(100) % 2
    found = calibrate(truth, np.tile([0.99999, 0.00001], (100, 1)), target_error=0.1)
    assert found.temperature == pytest.approx(20, rel=0.01)
    assert "is at the end of those looked through" in caplog.text


def test_calibration_mends_the_error_of_other_images(rng):
    found = calibrate(*draw(rng, 4000, 2.5), target_error=0.1)
    scores = judge(*draw(rng, 4000, 2.5), found)
    assert scores["calibrated_ece"] < 0.03
    assert scores["ece"] > 0.15
    assert scores["calibrated_brier"] < scores["brier"]
    assert scores["selective_error"] == pytest.approx(0.1, abs=0.04)
    assert 0.05 < scores["coverage"] < 0.9


def test_temperature_keeps_the_order_and_the_sum():
    probabilities = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    soft = apply_temperature(probabilities, 2.0)
    assert soft.sum(axis=1) == pytest.approx(1)
    by_hand = np.sqrt([0.7, 0.2, 0.1])
    assert soft[0] == pytest.approx(by_hand / by_hand.sum())
    assert np.isfinite(soft).all()
    assert soft[1].argmax() == 0


def test_the_calibration_error_is_that_worked_out_by_hand():
    # Two images at 0.9, one of them right; two at 0.6, both right: (2 * |0.5 - 0.9| + 2 * |1 - 0.6|) / 4.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert measure_calibration_error(np.array([0, 1, 0, 1]), probabilities) == pytest.approx(0.4)


def test_confidence_is_binned_as_by_scikit_learn(rng):
    sure = np.concatenate([rng.uniform(0.5, 1, 300), np.arange(8, 16) / 15])  # the ends of bins, too
    truth = (rng.random(len(sure)) > sure).astype(int)
    right, mean = calibration_curve(truth == 0, sure, n_bins=15)
    ours = bin_confidence(truth, np.column_stack([sure, 1 - sure]))
    some = ours[2] > 0
    assert ours[0][some] == pytest.approx(mean)
    assert ours[1][some] == pytest.approx(right)


def test_the_calibration_error_is_of_what_is_called():
    probabilities = np.array([[0.4, 0.6], [0.4, 0.6]])
    assert measure_calibration_error(np.array([0, 0]), probabilities, np.array([0, 0])) == pytest.approx(0.6)


def test_the_brier_score_is_that_worked_out_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4]])
    scores = score_trust(np.array([0, 1]), probabilities, probabilities, np.array([True, True]))
    assert scores["brier"] == pytest.approx((0.2**2 + 0.2**2 + 0.6**2 + 0.6**2) / 2)
    assert scores["coverage"] == 1


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


@pytest.mark.parametrize(("target", "threshold"), [(0.0, 0.9), (0.34, 0.8), (0.5, 0.0)])
def test_the_threshold_keeps_to_the_error(target, threshold):
    confidence = np.array([0.9, 0.8, 0.8, 0.5])
    probabilities = np.column_stack([confidence, 1 - confidence])
    truth = np.array([0, 1, 0, 1])
    found = calibrate(truth, probabilities, target)
    kept = apply_temperature(probabilities, found.temperature).max(axis=1) >= found.threshold
    assert kept.tolist() == (confidence >= threshold).tolist()


def test_opinions_that_are_never_good_enough_are_all_withheld():
    found = calibrate(np.array([1, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), 0.1)
    sure = np.array([[0.9, 0.1], [1.0, 0.0]])
    for probabilities in (sure, sure.astype("float32")):
        said = form_opinions(probabilities, np.zeros(2), found, ["Benign", "Pro"])
        assert said["reason"].tolist() == [trust.UNSURE] * 2
    scores = judge(np.array([1, 1]), sure, found)
    assert scores["coverage"] == 0
    assert np.isnan(scores["selective_error"])


def form_sets(held, probabilities, confidence: float) -> np.ndarray:
    return form_prediction_sets(probabilities, calibrate(*held, 0.1).nonconformity, confidence)


def test_prediction_sets_hold_the_true_class_as_often_as_stated_in_each_class(rng):
    held, (truth, probabilities) = draw(rng, 6000, 2.0), draw(rng, 6000, 2.0)
    covered, size = score_prediction_sets(truth, form_sets(held, probabilities, 0.9))
    assert covered == pytest.approx(0.9, abs=0.03)
    assert 1 < size < 4
    assert score_prediction_sets(truth, form_sets(held, probabilities, 0.5))[1] < size


def test_a_class_without_images_has_no_coverage(rng):
    truth, probabilities = draw(rng, 400, 1.0)
    some = truth != 2
    covered, _ = score_prediction_sets(truth[some], form_sets((truth, probabilities), probabilities[some], 0.9))
    assert np.isnan(covered).tolist() == [False, False, True, False]


def test_opinions_are_withheld_for_a_reason():
    calibrated = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45]])
    calibration = Calibration(1.0, threshold=0.7, novelty=0.5, nonconformity=[])
    said = form_opinions(calibrated, np.array([0.1, 0.2, 0.9, 0.9]), calibration, ["Benign", "Pro"])
    assert said["opinion"].tolist() == ["Benign", "withheld", "withheld", "withheld"]
    assert said["reason"].tolist() == ["", trust.UNSURE, trust.UNLIKE, trust.UNLIKE]
    assert said[["probability_benign", "probability_pro"]].to_numpy().tolist() == calibrated.tolist()


def test_the_limit_of_novelty_lets_so_many_be_flagged(rng):
    truth, probabilities = draw(rng, 400, 1.0)
    novelty = rng.random(400)
    found = trust.calibrate(truth, probabilities, novelty, 0.1, false_alarms=0.25)
    assert (novelty > found.novelty).mean() == pytest.approx(0.25, abs=0.003)
