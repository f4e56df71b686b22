import pandas as pd
import pytest

from leukoscope.reporting import numbers

CURVE = {
    "false_positive": [0.0, 0.0, 0.1, 0.1, 0.6, 1.0],
    "true_positive": [0.0, 0.8, 0.8, 0.96, 1.0, 1.0],
    "threshold": [1.0, 0.9, 0.7, 0.6, 0.2, 0.0],
}


def test_operating_points_are_where_the_sensitivity_is_first_reached():
    points = numbers.list_operating_points({"Pro": CURVE})["Pro"]
    assert [(one["specificity"], one["threshold"], one["sensitivity"]) for one in points] == [
        (1.0, 0.9, 0.8),
        (0.9, 0.6, 0.96),
        (0.9, 0.6, 0.96),
        (0.4, 0.2, 1.0),
    ]
    assert numbers.list_operating_points({}) == {}


def test_coverages_are_listed_once_each_up_to_all_images():
    risk = {"coverage": [0.25, 0.75, 1.0], "risk": [0.0, 0.1, 0.2], "confidence": [0.9, 0.8, 0.5]}
    assert numbers.list_coverages(risk) == [
        {"coverage": 0.75, "risk": 0.1, "confidence": 0.8},
        {"coverage": 1.0, "risk": 0.2, "confidence": 0.5},
    ]


def test_bins_have_whole_numbers_of_images():
    bins = {"confidence": [0.5], "right": [1.0], "images": [1.0]}
    (given, calibrated) = numbers.list_bins({"as_given": bins, "calibrated": bins})
    assert given == {"confidence": 0.5, "right": 1.0, "images": 1, "probabilities": "as_given"}
    assert isinstance(given["images"], int)
    assert calibrated["probabilities"] == "calibrated"


def test_the_ladder_says_what_was_held_out():
    columns = {"protocol": ["image", "series"], "embargo": [None, 37], "low": [0.1, None], "groups": [24, 8]}
    first, second = numbers.list_ladder(pd.DataFrame(columns))
    assert first["held_out"] == "image by image, copies on both sides"
    assert second["held_out"] == "runs of file numbers, embargo of 37"
    assert (first["low"], second["low"]) == (0.1, None)


@pytest.mark.parametrize("order", [1, -1])
def test_the_strongest_change_is_the_last_of_its_name(order):
    rows = [{"perturbation": "grey", "level": level} for level in (0.5, 1.0)][::order]
    found = numbers.list_strongest([{"title": "VGG16", "robustness": rows}, {"title": "B", "robustness": []}])
    assert found == {"grey": {"VGG16": rows[-1]}}
