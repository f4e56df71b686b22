import numpy as np
import pytest

from leukoscope.models.scoring import Scoring, probability_columns, tabulate_probabilities

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

HOW = Scoring(CLASSES, "Benign", prevalence=0.01)


@pytest.fixture
def scores() -> dict:
    return HOW.score(LABELS, PROBABILITIES)


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
        ("screening_ppv", 5 / 6),
        ("screening_npv", 3 / 4),
        # Bayes' rule, with sensitivity 5/6 and specificity 3/4.
        ("screening_ppv_at_prevalence", 5 / 6 * 0.01 / (5 / 6 * 0.01 + 1 / 4 * 0.99)),
        ("screening_npv_at_prevalence", 3 / 4 * 0.99 / (3 / 4 * 0.99 + 1 / 6 * 0.01)),
        ("npv_early", 6 / 7),
        ("balanced_accuracy", (3 / 4 + 2 / 3 + 1) / 3),
        # Agreement 0.8, by chance (4 * 4 + 3 * 3 + 3 * 3) / 100.
        ("cohen_kappa", (0.8 - 0.34) / (1 - 0.34)),
        # Gorodkin 2004, equation 8: (10 * 8 - 34) / (100 - 34), the margins being the same.
        ("matthews_correlation", 46 / 66),
        ("auprc_pre", 1.0),
        ("loss", -np.log([0.8, 0.7, 0.6, 0.3, 0.7, 0.8, 0.4, 0.8, 0.7, 0.6]).mean()),
    ],
)
def test_figures_are_those_worked_out_by_hand(scores, name, by_hand):
    assert scores[name] == pytest.approx(by_hand)


def test_the_auc_is_the_mean_over_the_classes(scores):
    assert scores["auc"] == pytest.approx(np.mean([scores[f"auc_{name}"] for name in ("benign", "early", "pre")]))


def test_a_class_without_images_leaves_its_figures_undefined():
    some = LABELS != "Benign"
    scores = HOW.score(LABELS[some], PROBABILITIES[some])
    assert scores["auc_benign"] is None
    assert scores["auc"] is None
    assert scores["screening_specificity"] is None
    assert scores["screening_ppv_at_prevalence"] is None
    assert scores["support_benign"] == 0
    assert scores["auc_pre"] == 1


def test_columns_are_named_in_the_order_of_the_classes():
    table = tabulate_probabilities(PROBABILITIES, CLASSES)
    assert list(table) == ["predicted", "probability_benign", "probability_early", "probability_pre"]
    assert probability_columns(["Early pre-B"]) == ["probability_early_pre_b"]
    assert table["predicted"].tolist()[:4] == ["Benign", "Benign", "Benign", "Early"]


def test_kappa_is_that_of_a_published_example():
    # Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, table 18.1: kappa 0.676.
    table = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    labels = np.repeat(CLASSES, table.sum(axis=1))
    called = np.concatenate([np.repeat(np.arange(3), row) for row in table])
    figures = HOW.score_headline(labels, np.eye(3)[called])
    assert figures["cohen_kappa"] == pytest.approx(0.676, abs=5e-4)


def test_a_weight_of_two_is_an_image_twice():
    weights = np.array([2, 1, 1, 1, 1, 1, 3, 1, 1, 1])
    twice = np.repeat(np.arange(10), weights)
    ours = HOW.score_headline(LABELS, PROBABILITIES, weights)
    theirs = HOW.score_headline(LABELS[twice], PROBABILITIES[twice])
    assert ours == pytest.approx(theirs)
