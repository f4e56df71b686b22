import numpy as np
import pytest
from sklearn import metrics

from leukoscope.evaluation.metric import Lack, list_names
from leukoscope.evaluation.metrics import METRICS
from leukoscope.evaluation.outcome import Screening, measure_losses
from leukoscope.evaluation.scoring import Scoring, combine, score_draw

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

HOW = Scoring(CLASSES, ["Benign"], prevalence=0.01)
# Malignant from 0.45 on: of the benign all but the fourth are below, of the malignant all are above.
SCREENING = Screening(1 - PROBABILITIES[:, 0], operating_point=0.45)


def prepare(labels, probabilities, predicted=None):
    return HOW.prepare(labels, probabilities, predicted, Screening(1 - probabilities[:, 0], 0.45))


@pytest.fixture
def scores() -> dict:
    return HOW.score(LABELS, PROBABILITIES, screening=SCREENING)


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
        # By the operating point: the likeliest class would miss the one that is predicted Benign at 0.5.
        ("screening_sensitivity", 1.0),
        ("screening_specificity", 3 / 4),
        ("screening_auc", 23 / 24),
        ("screening_ppv", 6 / 7),
        ("screening_npv", 1.0),
        # Bayes' rule, with sensitivity 1 and specificity 3/4.
        ("screening_ppv_at_prevalence", 0.01 / (0.01 + 1 / 4 * 0.99)),
        ("screening_npv_at_prevalence", 1.0),
        ("support_pre", 3),
        ("npv_early", 6 / 7),
        ("balanced_accuracy", (3 / 4 + 2 / 3 + 1) / 3),
        # Agreement 0.8, by chance (4 * 4 + 3 * 3 + 3 * 3) / 100.
        ("cohen_kappa", (0.8 - 0.34) / (1 - 0.34)),
        # Gorodkin 2004, equation 8: (10 * 8 - 34) / (100 - 34), the margins being the same.
        ("matthews_correlation", 46 / 66),
        ("auprc_pre", 1.0),
        # Of ten by their probability of Benign the first, second, third and fifth are: (1 + 1 + 1 + 4/5) / 4.
        ("auprc_benign", 0.95),
        ("macro_precision", (3 / 4 + 2 / 3 + 1) / 3),
        ("weighted_f1", (4 * 3 / 4 + 3 * 2 / 3 + 3) / 10),
        ("loss", -np.log([0.8, 0.7, 0.6, 0.3, 0.7, 0.8, 0.4, 0.8, 0.7, 0.6]).mean()),
    ],
)
def test_figures_are_those_worked_out_by_hand(scores, name, by_hand):
    assert scores[name] == pytest.approx(by_hand)


def test_areas_are_those_of_scikit_learn(scores):
    truth = [CLASSES.index(label) for label in LABELS]
    found = metrics.roc_auc_score(truth, PROBABILITIES, multi_class="ovr", average="macro")
    assert scores["auc"] == pytest.approx(found)
    by_class = [metrics.average_precision_score(name == LABELS, PROBABILITIES[:, i]) for i, name in enumerate(CLASSES)]
    assert scores["auprc"] == pytest.approx(np.mean(by_class))
    ill = metrics.average_precision_score(LABELS != "Benign", PROBABILITIES[:, 1:].sum(axis=1))
    assert scores["screening_auprc"] == pytest.approx(ill)


def undefined(scores: dict) -> set[str]:
    return {name for name, figure in scores.items() if figure is None}


def rows_without(lack: Lack) -> set[str]:
    """List the rows, of those that need no opinions or sets, that such a lack leaves undefined."""
    rows = {name: row for name, row in METRICS.items() if row.needs in ("", "screening")}
    return {name.removesuffix("_*") for name, row in rows.items() if lack in row.undefined}


NEED_EVERY_CLASS, OF_A_CLASS = rows_without(Lack.CLASS), rows_without(Lack.OWN)
NEED_BENIGN = rows_without(Lack.BENIGN)


def test_the_rows_that_need_a_class_have_among_them_those_known_by_hand():
    means = {"balanced_accuracy", "macro_precision", "macro_sensitivity", "macro_f1", "auc", "auprc"}
    assert means <= NEED_EVERY_CLASS
    assert {"precision", "npv", "sensitivity", "f1", "auc", "auprc"} <= OF_A_CLASS
    assert {"macro_precision", "weighted_precision"} <= rows_without(Lack.PREDICTION)


@pytest.mark.parametrize("missing", ["Early", "Benign"])
def test_a_class_without_images_leaves_what_needs_it_undefined(missing):
    some = missing != LABELS
    screening = Screening(SCREENING.scores[some], SCREENING.operating_point)
    scores = HOW.score(LABELS[some], PROBABILITIES[some], screening=screening)
    expected = NEED_EVERY_CLASS | {f"{name}_{missing.lower()}" for name in OF_A_CLASS}
    if missing == "Benign":
        assert {f"screening_{name}" for name in ("specificity", "ppv", "npv", "auc", "auprc")} <= NEED_BENIGN
        assert {"screening_ppv_at_prevalence", "screening_npv_at_prevalence"} <= NEED_BENIGN
        expected |= NEED_BENIGN
    assert undefined(scores) == expected
    assert scores[f"support_{missing.lower()}"] == 0
    # What is said of other images can still be right or wrong.
    assert scores[f"specificity_{missing.lower()}"] == pytest.approx({"Early": 6 / 7, "Benign": 5 / 6}[missing])


def test_images_of_one_class_have_no_agreement_beyond_chance():
    some = LABELS == "Pre"
    scores = HOW.score(LABELS[some], PROBABILITIES[some])
    assert {"matthews_correlation", "cohen_kappa", "precision_pre", "auc_pre"} <= undefined(scores)
    assert scores["accuracy"] == scores["weighted_sensitivity"] == scores["sensitivity_pre"] == 1


def test_a_class_that_is_never_predicted_has_no_precision():
    never = PROBABILITIES * [1, 0.01, 1]
    scores = HOW.score(LABELS, never / never.sum(axis=1, keepdims=True))
    of_the_class = {f"{name}_early" for name in rows_without(Lack.OWN_PREDICTION)}
    assert undefined(scores) == of_the_class | rows_without(Lack.PREDICTION)
    assert "precision_early" in of_the_class
    assert scores["f1_early"] == scores["sensitivity_early"] == 0


def test_every_figure_is_the_same_in_a_draw_of_all_images_once(scores):
    drawn = score_draw(prepare(LABELS, PROBABILITIES), np.ones(10))
    assert drawn == {name: scores[name] for name in drawn}
    assert scores["balanced_accuracy"] == scores["macro_sensitivity"]


def test_a_draw_without_a_class_has_no_figure_that_needs_it():
    drawn = score_draw(prepare(LABELS, PROBABILITIES), (LABELS != "Early").astype(float))
    undefined = {name for name, figure in drawn.items() if np.isnan(figure)}
    expected = NEED_EVERY_CLASS | {f"{name}_early" for name in OF_A_CLASS}
    assert undefined == expected & drawn.keys() >= {"f1_early", "auc_early", "auprc_early", "macro_f1", "auc"}


def test_a_draw_of_one_class_has_no_agreement_beyond_chance():
    drawn = score_draw(prepare(LABELS, PROBABILITIES), (LABELS == "Early").astype(float))
    assert np.isnan([drawn["matthews_correlation"], drawn["cohen_kappa"]]).all()
    both = score_draw(prepare(LABELS, PROBABILITIES), (LABELS != "Pre").astype(float))
    assert both["matthews_correlation"] == pytest.approx((3 * 2 - 1 * 1) / np.sqrt(4 * 4 * 3 * 3))


def test_without_a_screening_view_there_are_no_such_figures():
    assert not any(name.startswith("screening") for name in HOW.score(LABELS, PROBABILITIES))


def test_no_images_of_a_class_leave_its_negative_value_undefined():
    # Every image is rightly told not to be Early, and no Early one was there to be missed.
    some = LABELS != "Early"
    scores = HOW.score(LABELS[some], PROBABILITIES[some])
    assert scores["npv_early"] is None
    assert HOW.score(LABELS[~some], PROBABILITIES[~some])["npv_early"] is None


def test_ends_at_a_prevalence_follow_from_those_of_sensitivity_and_specificity():
    rates = {"screening_sensitivity_low": 0.9, "screening_specificity_low": 0.8}
    ends = combine(prepare(LABELS, PROBABILITIES), rates, "_low")
    assert ends["screening_ppv_at_prevalence_low"] == pytest.approx(0.009 / (0.009 + 0.2 * 0.99))
    assert ends["screening_npv_at_prevalence_low"] == pytest.approx(0.8 * 0.99 / (0.8 * 0.99 + 0.1 * 0.01))


def test_what_is_predicted_need_not_be_the_likeliest():
    predicted = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    scores = HOW.score(LABELS, PROBABILITIES, predicted)
    assert scores["accuracy"] == scores["f1_early"] == 1
    assert scores["auc_benign"] == pytest.approx(23 / 24)


def test_the_loss_of_single_precision_is_that_of_double():
    sure = np.array([[1 - 1e-12, 1e-12], [0.4, 0.6]])
    by_hand = [-np.log(1e-12), -np.log(0.6)]
    assert measure_losses(np.array([1, 1]), sure) == pytest.approx(by_hand)
    assert measure_losses(np.array([1, 1]), sure.astype("float32")) == pytest.approx(by_hand)


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_figures_are_those_of_scikit_learn(rng, ties):
    truth, weights = rng.integers(0, 3, 60), rng.integers(0, 4, 60)
    probabilities = rng.dirichlet(np.ones(3), 60) + 0.4 * np.eye(3)[truth]
    probabilities = probabilities.round(1) + 0.01 if ties else probabilities
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted, ill = probabilities.argmax(axis=1), (truth > 0).astype(int)
    ours = score_draw(prepare(np.array(CLASSES)[truth], probabilities), weights)
    how = {"sample_weight": weights}
    by_class = metrics.precision_recall_fscore_support(truth, predicted, **how)[:3]
    expected = {
        "loss": metrics.log_loss(truth, probabilities, **how),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted, **how),
        "matthews_correlation": metrics.matthews_corrcoef(truth, predicted, **how),
        "cohen_kappa": metrics.cohen_kappa_score(truth, predicted, **how),
        "auc": metrics.roc_auc_score(truth, probabilities, multi_class="ovr", **how),
        "screening_auc": metrics.roc_auc_score(ill, 1 - probabilities[:, 0], **how),
        "screening_auprc": metrics.average_precision_score(ill, 1 - probabilities[:, 0], **how),
    }
    for name, values in zip(("precision", "sensitivity", "f1"), by_class, strict=True):
        expected[f"macro_{name}"] = values.mean()
        expected[f"weighted_{name}"] = np.average(values, weights=np.bincount(truth, weights))
    for number, name in enumerate(("benign", "early", "pre")):
        expected[f"f1_{name}"] = by_class[2][number]
        expected[f"auc_{name}"] = metrics.roc_auc_score(truth == number, probabilities[:, number], **how)
        expected[f"auprc_{name}"] = metrics.average_precision_score(truth == number, probabilities[:, number], **how)
    assert {name: ours[name] for name in expected} == pytest.approx(expected)
    named = {one: row for name, row in METRICS.items() for one in list_names(name, ["benign", "early", "pre"])}
    # A figure without another source is scikit-learn's.
    assert {name for name in ours if not named[name].source} <= {*expected, "auprc"}


def test_kappa_is_that_of_a_published_example():
    # Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, table 18.1: kappa 0.676.
    table = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    labels = np.repeat(CLASSES, table.sum(axis=1))
    predicted = np.concatenate([np.repeat(np.arange(3), row) for row in table])
    figures = score_draw(prepare(labels, np.eye(3)[predicted]), np.ones(len(labels)))
    assert figures["cohen_kappa"] == pytest.approx(0.676, abs=5e-4)


def test_a_weight_of_two_is_an_image_twice():
    weights = np.array([2, 1, 1, 1, 1, 1, 3, 1, 1, 1])
    twice = np.repeat(np.arange(10), weights)
    ours = score_draw(prepare(LABELS, PROBABILITIES), weights)
    theirs = score_draw(prepare(LABELS[twice], PROBABILITIES[twice]), np.ones(len(twice)))
    assert ours == pytest.approx(theirs)


def test_several_benign_classes_are_set_against_all_others():
    how = Scoring(["A", "B", "C"], ["A", "C"], 0.1)
    assert how.is_malignant(np.array(["A", "B", "C", "B"])).tolist() == [False, True, False, True]
    assert how.is_malignant(np.array(["A", "B"], dtype=object)).tolist() == [False, True]
