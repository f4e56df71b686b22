import numpy as np
import pytest

from leukoscope.evaluation.certificate import Certificates
from leukoscope.evaluation.out_of_distribution import OutOfDistribution
from leukoscope.evaluation.robustness import ChangeScorer
from leukoscope.evaluation.trust import ABSTAINED, UNLIKE, UNSURE, Calibration, form_opinions
from leukoscope.images.circumstances import VERSION

ASKED = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
AGAIN = {
    "stain": [ASKED, np.array([[0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.9, 0.1]])],
    "light": [np.array([[0.95, 0.05], [0.2, 0.8], [0.3, 0.7], [0.3, 0.7]])],
    "camera": [np.array([[0.85, 0.15], [0.45, 0.55], [0.4, 0.6], [0.4, 0.6]])],
}
WEIGHED = Certificates.weigh(ASKED, AGAIN)


def test_an_opinion_rests_on_what_turns_it():
    assert WEIGHED.tabulate()["rests_on"].tolist() == ["", "stain,light,camera", "", "stain"]
    assert WEIGHED.certified.tolist() == [True, False, True, False]
    assert WEIGHED.give_reasons().tolist() == ["", "rests on stain, light and camera", "", "rests on stain"]


def test_sensitivity_is_the_most_that_the_likeliest_class_loses():
    table = WEIGHED.tabulate()
    assert table["sensitivity"] == pytest.approx([0.1, 0.7, 0.1, 0.5])
    assert table["sensitivity_light"] == pytest.approx([0, 0.6, 0, 0])
    assert Certificates.weigh(ASKED, {"stain": [ASKED]}).tabulate()["sensitivity"].tolist() == [0] * 4


def test_what_rests_on_a_circumstance_gets_no_opinion_and_other_reasons_come_first():
    ood = OutOfDistribution(np.array([0.0, 0.0, 9.0, 0.0]), np.array(["", "", "other colours", ""]))
    calibration = Calibration(1.0, 0.65, 1.0, [[0.1], [0.1]])
    table = form_opinions(ASKED, ood, calibration, ["Benign", "Pro"], WEIGHED)
    assert table["opinion"].tolist() == ["Benign", ABSTAINED, ABSTAINED, ABSTAINED]
    reasons = ["", "rests on stain, light and camera", f"{UNLIKE}: other colours", UNSURE]
    assert table["reason"].tolist() == reasons
    without = form_opinions(ASKED, ood, calibration, ["Benign", "Pro"])
    assert without["opinion"].tolist() == ["Benign", "Benign", ABSTAINED, ABSTAINED]
    assert set(table) - set(without) == set(WEIGHED.tabulate())


def test_what_certificates_are_worth_has_intervals_by_groups():
    scorer = ChangeScorer(np.array([0, 1, 1, 1]), np.arange(4), 0.95)
    figures = scorer.certify(ASKED, WEIGHED)
    assert figures["test_certified"] == 0.5
    assert [figures[f"test_certified_{name}"] for name in WEIGHED.flips] == [0.5, 0.75, 0.75]
    assert figures["certificate_version"] == VERSION
    assert figures["test_accuracy_certified"] == 1
    assert figures["test_accuracy_not_certified"] == 0.5
    assert figures["test_accuracy_not_certified_low"] < 0.5 < figures["test_accuracy_not_certified_high"]
    nothing = scorer.certify(ASKED, Certificates.weigh(ASKED, {"stain": [ASKED]}))
    assert nothing["test_certified"] == 1
    assert nothing["test_accuracy_not_certified"] is None
