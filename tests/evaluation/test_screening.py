import numpy as np
import pytest

from leukoscope.evaluation.screening import choose_operating_point, score_malignant

SCORES = np.array([0.1, 0.2, 0.6, 0.4, 0.7, 0.8, 0.9])
MALIGNANT = np.array([0, 0, 0, 1, 1, 1, 1], bool)


@pytest.mark.parametrize(
    ("sensitivity", "point"),
    [
        (1.0, 0.3),  # all four are found, one benign field is predicted malignant: between 0.4 and 0.2
        (0.75, 0.65),  # three are found, and none of the benign: between 0.7 and 0.6
        (0.5, 0.65),  # of equals the one that finds most
    ],
)
def test_the_point_finds_so_many_and_calls_the_fewest_benign_fields_malignant(sensitivity, point):
    assert choose_operating_point(MALIGNANT, SCORES, sensitivity) == pytest.approx(point)


def test_without_benign_or_malignant_images_the_point_is_a_half(caplog):
    assert choose_operating_point(np.ones(3, bool), SCORES[:3], 0.98) == 0.5
    assert "all benign or all malignant" in caplog.text


def test_scores_that_tell_nothing_apart_call_everything_malignant():
    assert choose_operating_point(MALIGNANT, np.full(7, 0.5), 0.98) <= 0.5


def test_what_is_not_benign_is_malignant_and_never_more_than_certain():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    assert score_malignant(probabilities, [0]) == pytest.approx([0.9, 0.5])
    assert score_malignant(probabilities, [0, 2]) == pytest.approx([0.2, 0.25])
    rounded = np.array([[0.4000001, 0.6000001, 0.0], [0.0, 0.0, 1.0]], dtype="float32")
    assert score_malignant(rounded, [0, 1]).tolist() == [0.0, 1.0]
