import numpy as np
import pytest

from leukoscope.models.scoring import probability_columns, score_split, tabulate_probabilities

CLASSES = ["Benign", "Early", "Pre"]
LABELS = np.array(["Benign"] * 4 + ["Early"] * 3 + ["Pre"] * 3)
# Benign: 3 right, 1 taken for Early; Early: 2 right, 1 taken for Benign; Pre: all right.
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.7, 0.2, 0.1],
        [0.6, 0.3, 0.1],
        [0.3, 0.6, 0.1],
        [0.2, 0.7, 0.1],
        [0.1, 0.8, 0.1],
        [0.5, 0.4, 0.1],
        [0.1, 0.1, 0.8],
        [0.1, 0.2, 0.7],
        [0.2, 0.2, 0.6],
    ]
)


@pytest.fixture
def scores() -> dict:
    return score_split(LABELS, PROBABILITIES, CLASSES, "Benign")


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("images", 10),
        ("accuracy", 8 / 10),
        ("precision_benign", 3 / 4),
        ("sensitivity_benign", 3 / 4),
        ("specificity_benign", 5 / 6),
        ("f1_benign", 3 / 4),
        ("support_benign", 4),
        ("sensitivity_early", 2 / 3),
        ("specificity_early", 6 / 7),
        ("auc_pre", 1.0),
        ("auc_benign", 23 / 24),
        ("macro_sensitivity", (3 / 4 + 2 / 3 + 1) / 3),
        ("weighted_sensitivity", 8 / 10),
        ("macro_f1", (3 / 4 + 2 / 3 + 1) / 3),
        ("screening_sensitivity", 5 / 6),
        ("screening_specificity", 3 / 4),
        ("screening_auc", 23 / 24),
        ("loss", -np.log([0.8, 0.7, 0.6, 0.3, 0.7, 0.8, 0.4, 0.8, 0.7, 0.6]).mean()),
    ],
)
def test_figures_are_those_worked_out_by_hand(scores, name, by_hand):
    assert scores[name] == pytest.approx(by_hand)


def test_the_auc_is_the_mean_over_the_classes(scores):
    assert scores["auc"] == pytest.approx(np.mean([scores[f"auc_{name}"] for name in ("benign", "early", "pre")]))


def test_a_class_without_images_leaves_its_figures_undefined():
    some = LABELS != "Benign"
    scores = score_split(LABELS[some], PROBABILITIES[some], CLASSES, "Benign")
    assert scores["auc_benign"] is None
    assert scores["auc"] is None
    assert scores["screening_specificity"] is None
    assert scores["support_benign"] == 0
    assert scores["auc_pre"] == 1


def test_columns_are_named_in_the_order_of_the_classes():
    table = tabulate_probabilities(PROBABILITIES, CLASSES)
    assert list(table) == ["predicted", "probability_benign", "probability_early", "probability_pre"]
    assert probability_columns(["Early pre-B"]) == ["probability_early_pre_b"]
    assert table["predicted"].tolist()[:4] == ["Benign", "Benign", "Benign", "Early"]
