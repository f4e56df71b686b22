import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import binom
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator

from leukoscope.core.errors import InputError
from leukoscope.evaluation import trust
from leukoscope.evaluation.calibration import (
    apply_temperature,
    bin_confidence,
    measure_calibration_error,
    simulate_calibrated,
)
from leukoscope.evaluation.conformal import form_prediction_sets, measure_nonconformity, name_sets
from leukoscope.evaluation.out_of_distribution import OutOfDistribution
from leukoscope.evaluation.outcome import Opinions, Outcome
from leukoscope.evaluation.scoring import score, score_draw
from leukoscope.evaluation.selective import NEVER
from leukoscope.evaluation.trust import Calibration, Targets, form_opinions


def calibrate(truth, probabilities, target_error: float = 0.1, **targets) -> Calibration:
    scores, groups = np.arange(len(truth)) / len(truth), np.arange(len(truth))
    targets = Targets(target_error, false_alarms=0.1, **targets)
    return trust.calibrate(truth, probabilities, scores, groups, [0], targets, "a model")


def describe(truth, probabilities, calibrated, given, predicted=None) -> Outcome:
    predicted = probabilities.argmax(axis=1) if predicted is None else predicted
    names = [str(number) for number in range(probabilities.shape[1])]
    opinions = Opinions(calibrated, given, unlike=np.zeros(len(truth), bool))
    return Outcome(truth, predicted, probabilities, names, truth > 0, 0.1, opinions=opinions)


def judge(truth, probabilities, calibration: Calibration) -> dict[str, float]:
    calibrated = apply_temperature(probabilities, calibration.temperature)
    given = calibrated.max(axis=1) >= calibration.threshold
    return score(describe(truth, probabilities, calibrated, given))


def draw(rng, count: int, overconfidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw classes from known probabilities, and what a classifier says that is too sure of them."""
    logits = rng.normal(0, 1.5, (count, 4))
    honest = apply_temperature(np.exp(logits), 1.0)
    truth = (rng.random((count, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(max=3)
    return truth, apply_temperature(np.exp(logits), 1 / overconfidence)


def test_the_temperature_undoes_overconfidence(rng):
    found = calibrate(*draw(rng, 8000, overconfidence=2.5))
    assert found.temperature == pytest.approx(2.5, rel=0.07)


def score_as(score: np.ndarray) -> OutOfDistribution:
    return OutOfDistribution(score, np.full(len(score), "cells"))


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
    found = calibrate(truth, probabilities.astype("float32"))
    assert apply_temperature(probabilities, found.temperature) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("wrong", "temperature"), [(0, 1.0), (3, pytest.approx(0.5, abs=0.1))])
def test_where_nothing_is_wrong_nothing_is_learned_of_over_confidence(caplog, wrong, temperature):
    truth = (np.arange(300) < wrong).astype(int)
    found = calibrate(truth, np.tile([0.9, 0.1], (300, 1)))
    assert found.temperature == temperature
    assert ("No validation image is wrong" in caplog.text) is (wrong == 0)


def test_one_sure_error_in_single_precision_counts_as_much_as_it_should(rng):
    logits = np.column_stack([np.full(200, 60.0), np.zeros(200)])
    truth = (np.arange(200) < 4).astype(int)
    found = calibrate(truth, softmax(logits, axis=1).astype("float32"))
    assert 60 / found.temperature == pytest.approx(np.log(196 / 4), rel=0.01)  # as sure as it is right


def test_an_error_that_was_held_for_impossible_softens_and_never_sharpens():
    # What scikit-learn's log loss clips would be lowest for the coldest temperature, where errors count no more.
    truth = (np.arange(100) < 25).astype(int)
    probabilities = np.where(truth[:, None] == 1, [1.0, 0.0], [0.7, 0.3])
    assert calibrate(truth, probabilities).temperature == pytest.approx(20, rel=0.01)


def test_a_temperature_at_the_end_of_those_looked_through_is_told(caplog):
    truth = np.arange(100) % 2
    found = calibrate(truth, np.tile([0.99999, 0.00001], (100, 1)))
    assert found.temperature == pytest.approx(20, rel=0.01)
    assert "is at the end of those looked through" in caplog.text


def test_calibration_mends_the_error_of_other_images(rng):
    found = calibrate(*draw(rng, 4000, 2.5), target_error=0.2)
    scores = judge(*draw(rng, 4000, 2.5), found)
    assert scores["calibrated_ece"] < 0.03
    assert scores["ece"] > 0.15
    assert scores["calibrated_brier"] < scores["brier"]
    assert 0.1 < scores["selective_error"] < 0.2
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


def test_the_calibration_error_is_of_what_is_predicted():
    probabilities = np.array([[0.4, 0.6], [0.4, 0.6]])
    assert measure_calibration_error(np.array([0, 0]), probabilities, np.array([0, 0])) == pytest.approx(0.6)


def test_the_brier_score_is_that_worked_out_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4]])
    outcome = describe(np.array([0, 1]), probabilities, probabilities, np.ones(2, bool))
    assert score_draw(outcome, np.ones(2))["brier"] == pytest.approx((0.2**2 + 0.2**2 + 0.6**2 + 0.6**2) / 2)
    assert score_draw(outcome, np.array([3, 1]))["brier"] == pytest.approx((3 * 0.2**2 * 2 + 0.6**2 * 2) / 4)


def test_without_a_promise_no_opinion_is_given_unless_it_is_asked_for(caplog):
    truth = (np.arange(60) % 10 == 0).astype(int)
    probabilities = np.column_stack([np.linspace(0.6, 0.99, 60), 1 - np.linspace(0.6, 0.99, 60)])
    held = calibrate(truth, probabilities, 0.02)
    assert held.error_bound is None
    assert held.threshold == NEVER
    assert held.needed == 149
    assert "It takes 149 groups without an error" in caplog.text
    sure = np.array([[0.9, 0.1], [1.0, 0.0]])
    for table in (sure, sure.astype("float32")):
        opinions = form_opinions(table, score_as(np.zeros(2)), held, ["Benign", "Pro"])
        assert opinions["reason"].tolist() == [trust.UNPROMISED] * 2
    scores = judge(np.array([1, 1]), sure, held)
    assert scores["coverage"] == 0
    assert np.isnan([scores["selective_error"], scores["selective_error_at_prevalence"]]).all()
    asked_for = calibrate(truth, probabilities, 0.1, unproven=True)
    assert asked_for.error_bound is None
    assert asked_for.threshold < 0.9
    assert "without a promise" in caplog.text


def test_the_promise_is_learned_after_fields_out_of_distribution_are_left_out():
    # Half of the images are wrong, and just these are unlike the training images: no opinion is given on them.
    truth, probabilities = np.arange(200) // 100, np.tile([0.9, 0.1], (200, 1))
    scores, groups = np.arange(200) // 100 + 0.0, np.arange(200)
    found = trust.calibrate(truth, probabilities, scores, groups, [0], Targets(0.05, false_alarms=0.6))
    assert found.error_bound == pytest.approx(1 - 0.05 ** (1 / 100))
    without = trust.calibrate(truth, probabilities, 0 * scores, groups, [0], Targets(0.05, false_alarms=0.6))
    assert without.error_bound is None


def test_errors_are_weighed_by_the_stated_prevalence():
    # Of 4 benign fields 3 get an opinion, 1 of these wrong; of 4 malignant ones 2 do, none wrong.
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    predicted = np.array([0, 0, 1, 0, 1, 1, 0, 0])
    given = np.array([1, 1, 1, 0, 1, 1, 0, 0], bool)
    table = np.eye(2)[predicted] * 0.8 + 0.1
    figures = score(describe(truth, table, table, given))
    assert figures["selective_error_at_prevalence"] == pytest.approx(0.9 / 4 / (0.9 * 3 / 4 + 0.1 * 2 / 4))


def test_a_calibration_is_read_as_it_was_learned_or_not_at_all():
    import json

    learned = calibrate(np.arange(40) % 2, np.tile([0.6, 0.4], (40, 1)))
    facts = json.loads(json.dumps(learned.describe()))
    assert Calibration.restore(facts, "a model") == learned
    with pytest.raises(InputError, match="is not as it was learned: it was edited"):
        Calibration.restore(facts | {"temperature": facts["temperature"] * 1.01})
    with pytest.raises(InputError, match="learned for the model a model, and is used with another"):
        Calibration.restore(facts, "another")
    with pytest.raises(InputError, match="of another version"):
        Calibration.restore({name: value for name, value in facts.items() if name != "needed"})


def test_perfect_calibration_of_one_confidence_shows_the_mean_deviation_of_a_share():
    counts = np.arange(97)
    expected = binom.pmf(counts, 96, 0.94) @ np.abs(counts / 96 - 0.94)
    assert simulate_calibrated(np.full(96, 0.94), 1) == pytest.approx(expected, rel=0.15)


def test_perfect_calibration_is_not_seen_to_be_perfect(rng):
    confidence = rng.uniform(0.5, 1, 96)
    errors = []
    for _ in range(300):
        truth = (rng.random(96) > confidence).astype(int)
        errors.append(
            measure_calibration_error(truth, np.column_stack([confidence, 1 - confidence]), np.zeros(96, int))
        )
    assert simulate_calibrated(confidence, 1) == pytest.approx(np.mean(errors), rel=0.1)
    assert simulate_calibrated(confidence, 1) > 0.04


def form_sets(held, probabilities, confidence: float) -> np.ndarray:
    return form_prediction_sets(probabilities, calibrate(*held, 0.1).nonconformity, confidence)


def test_prediction_sets_hold_the_true_class_as_often_as_stated_in_each_class(rng):
    held, (truth, probabilities) = draw(rng, 6000, 2.0), draw(rng, 6000, 2.0)
    sets = form_sets(held, probabilities, 0.9)
    covered = [sets[truth == number, number].mean() for number in range(4)]
    assert covered == pytest.approx([0.9] * 4, abs=0.03)
    assert 1 < sets.sum(axis=1).mean() < 4
    assert form_sets(held, probabilities, 0.5).sum() < sets.sum()


def test_a_set_holds_what_as_many_of_its_own_class_were_as_unlike():
    # Of nine images of the first class with nonconformity 0.1 to 0.9, p is the share of ten that is as strange: 0.6
    # leaves 4 of them and the image itself, 0.5; the second class is learned from its own nine, all at 0.3.
    learned = [np.linspace(0.1, 0.9, 9).tolist(), [0.3] * 9]
    sets = form_prediction_sets(np.array([[0.4, 0.6], [0.05, 0.75]]), learned, confidence=0.8)
    assert sets.tolist() == [[True, False], [False, True]]
    assert form_prediction_sets(np.array([[0.05, 0.1]]), learned, confidence=0.8).tolist() == [[False, False]]


def test_strangeness_is_kept_by_the_true_class():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    assert measure_nonconformity(np.array([0, 1, 1]), probabilities) == [
        pytest.approx([0.1]),
        pytest.approx([0.8, 0.7]),
    ]


def test_a_class_that_nothing_is_known_of_is_never_ruled_out():
    sets = form_prediction_sets(np.array([[1.0, 0.0]]), [[0.1] * 30, []], confidence=0.95)
    assert sets.tolist() == [[True, True]]


def test_an_empty_set_is_called_so():
    assert name_sets(np.array([[True, True], [False, True], [False, False]]), ["Early", "Pre"]).tolist() == [
        "Early or Pre",
        "Pre",
        "none",
    ]


def test_a_classifier_abstains_for_a_reason():
    calibrated = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45]])
    calibration = Calibration(1.0, threshold=0.7, ood_limit=0.5, nonconformity=[[0.1] * 30, [0.1] * 30])
    said = form_opinions(calibrated, score_as(np.array([0.1, 0.2, 0.9, 0.9])), calibration, ["Benign", "Pro"])
    assert said["opinion"].tolist() == ["Benign", "abstained", "abstained", "abstained"]
    assert said["reason"].tolist() == ["", trust.UNSURE, f"{trust.UNLIKE}: cells", f"{trust.UNLIKE}: cells"]
    assert said[["probability_benign", "probability_pro"]].to_numpy() == pytest.approx(calibrated)
    assert said["prediction_set"].tolist() == ["Benign", "none", "none", "none"]
    softened = form_opinions(
        calibrated, score_as(np.zeros(4)), calibration._replace(temperature=2.0), ["Benign", "Pro"]
    )
    assert softened["probability_benign"][0] == pytest.approx(3 / 4)
    assert softened["prediction_set"].tolist() == said["prediction_set"].tolist()  # learned before calibration


def test_the_limit_of_scores_lets_so_many_be_flagged(rng):
    truth, probabilities = draw(rng, 400, 1.0)
    scores = rng.random(400)
    found = trust.calibrate(truth, probabilities, scores, np.arange(400), [0], Targets(0.1, false_alarms=0.25))
    assert (scores > found.ood_limit).mean() == pytest.approx(0.25, abs=0.003)


def test_the_operating_point_goes_by_all_benign_classes():
    truth = np.array([0, 1, 2] * 40)
    probabilities = np.eye(3)[truth] * 0.7 + 0.1
    groups = np.arange(len(truth))
    one, two = (
        trust.calibrate(truth, probabilities, np.zeros(120), groups, benign, Targets(0.1)) for benign in ([0], [0, 1])
    )
    assert one.operating_point == pytest.approx((0.9 + 0.2) / 2, abs=0.01)
    assert two.operating_point == pytest.approx((0.8 + 0.1) / 2, abs=0.01)
