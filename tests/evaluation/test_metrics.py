"""The table of metrics against what is computed: names, bounds, and where a figure is undefined."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukoscope.evaluation.intervals import METHODS
from leukoscope.evaluation.metric import Combined, Hits, Lack, Metric, Number, Share, list_names
from leukoscope.evaluation.metrics import METRICS, list_compared, list_promoting
from leukoscope.evaluation.outcome import Opinions, Outcome, Screening
from leukoscope.evaluation.scoring import Scoring, estimate, score, score_draw

ROWS = pytest.mark.parametrize(("name", "metric"), METRICS.items(), ids=list(METRICS))


def make_outcome(rng, images: int, classes: int, there: int, predicted: int) -> Outcome:
    """Draw predictions of some classes, of which so many have images and so many are predicted."""
    probabilities = rng.dirichlet(np.full(classes, 0.3), images)
    calibrated = rng.dirichlet(np.full(classes, 0.3), images)
    truth = rng.permutation(classes)[:there][rng.integers(0, there, images)]
    opinions = Opinions(calibrated, rng.random(images) < rng.choice([0, 0.5, 1]), rng.random(images) < 0.5)
    return Outcome(
        truth=truth,
        predicted=rng.permutation(classes)[:predicted][rng.integers(0, predicted, images)],
        probabilities=probabilities,
        class_names=[f"class{number}" for number in range(classes)],
        malignant=truth > 0,
        prevalence=0.1,
        screening=Screening(rng.random(images), rng.choice([0.0, 0.5, 1.1])),
        opinions=opinions,
        sets=rng.random((images, classes)) < 0.5,
        groups=rng.integers(0, 5, images),
        seed=1,
    )


@st.composite
def outcomes(draw) -> tuple[Outcome, np.random.Generator]:
    classes = draw(st.integers(2, 4))
    there, predicted, images = draw(st.integers(1, classes)), draw(st.integers(1, classes)), draw(st.integers(1, 15))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return make_outcome(rng, images, classes, there, predicted), rng


@pytest.fixture
def outcome(rng) -> Outcome:
    """Predictions that leave nothing undefined."""
    made = make_outcome(rng, 40, 3, there=3, predicted=3)
    opinions = made.opinions._replace(given=rng.random(40) < 0.5)
    return replace(made, screening=made.screening._replace(operating_point=0.5), opinions=opinions)


def find_lacks(outcome: Outcome) -> set[Lack]:
    """Find what an outcome lacks, one class aside."""
    there, predicted = set(outcome.truth.tolist()), set(outcome.predicted.tolist())
    facts = {
        Lack.CLASS: len(there) < len(outcome.class_names),
        Lack.SECOND_CLASS: len(there) == 1,
        Lack.PREDICTION: not there <= predicted,
        Lack.MALIGNANT: there == {0},
        Lack.BENIGN: 0 not in there,
        Lack.MALIGNANT_PREDICTION: max(outcome.screening.scores) < outcome.screening.operating_point,
        Lack.BENIGN_PREDICTION: min(outcome.screening.scores) >= outcome.screening.operating_point,
        Lack.OPINION: sum(outcome.opinions.given) == 0,
    }
    return {lack for lack, is_so in facts.items() if is_so}


def find_lacks_of_class(outcome: Outcome, number: int) -> set[Lack]:
    there, predicted = set(outcome.truth.tolist()), set(outcome.predicted.tolist())
    facts = {
        Lack.OWN: number not in there,
        Lack.OTHERS: there <= {number},
        Lack.OWN_PREDICTION: number not in predicted,
        Lack.OTHER_PREDICTION: predicted <= {number},
    }
    return {lack for lack, is_so in facts.items() if is_so}


def list_expected(outcome: Outcome) -> set[str]:
    """List the figures that are undefined by what their rows say."""
    undefined, lacks = set(), find_lacks(outcome)
    for name, metric in METRICS.items():
        names = list_names(name, outcome.class_names)
        by_class = [find_lacks_of_class(outcome, number) for number in range(len(names))]
        of_each = by_class if metric.section == "class" else [lacks]
        undefined |= {one for one, there in zip(names, of_each, strict=True) if there & set(metric.undefined)}
    return undefined


@given(outcomes())
@settings(max_examples=150, deadline=None)
def test_a_figure_is_undefined_where_its_row_says_and_nowhere_else(drawn):
    outcome, _ = drawn
    figures = score(outcome)
    assert {name for name, value in figures.items() if np.isnan(value)} == list_expected(outcome)


@given(outcomes())
@settings(max_examples=100, deadline=None)
def test_figures_keep_to_the_bounds_of_their_rows_in_any_draw(drawn):
    outcome, rng = drawn
    weights = rng.integers(0, 3, len(outcome)) + np.eye(len(outcome))[0]  # one image at least
    figures = [score(outcome), score_draw(outcome, weights)]
    rows = {one: row for name, row in METRICS.items() for one in list_names(name, outcome.class_names)}
    for table in figures:
        for name, value in table.items():
            low, high = rows[name].bounds
            assert np.isnan(value) or low - 1e-12 <= value <= high + 1e-12, name


def test_every_lack_is_that_of_some_row():
    assert {lack for metric in METRICS.values() for lack in metric.undefined} == set(Lack)


def test_the_figures_are_those_of_the_rows_with_an_interval_where_a_row_has_one(outcome):
    expected = {
        f"{figure}{end}"
        for name, metric in METRICS.items()
        for figure in list_names(name, outcome.class_names)
        for end in ("", *(("_low", "_high") if metric.measure.interval else ()))
    }
    figures = estimate(outcome, resamples=40, confidence=0.9, seed=1)
    assert set(figures) == expected
    assert all(np.isfinite(value) for value in figures.values())


@pytest.mark.parametrize("part", ["screening", "opinions", "sets", "groups"])
def test_what_was_not_formed_has_no_metrics(outcome, part):
    there = score(replace(outcome, **{part: None}))
    assert set(score(outcome)) - set(there) == {
        figure
        for name, metric in METRICS.items()
        if metric.needs == part
        for figure in list_names(name, outcome.class_names)
    }


@ROWS
def test_a_row_can_be_shown(name, metric):
    assert metric.title
    assert metric.meaning
    assert "|" not in metric.title + metric.meaning + metric.source
    assert (metric.section == "class") is name.endswith("_*")
    assert metric.bounds[0] < metric.bounds[1]
    assert metric.ideal is None or metric.ideal in metric.bounds
    assert metric.measure.interval in {"", "ends", *METHODS}


def test_titles_tell_the_metrics_of_a_section_apart():
    titles = [(metric.section, metric.title) for metric in METRICS.values()]
    assert len(set(titles)) == len(titles)


def test_what_follows_from_others_follows_from_rows_with_ends_and_rises_with_them(outcome):
    rules = {name: metric.measure for name, metric in METRICS.items() if isinstance(metric.measure, Combined)}
    assert rules
    for rule in rules.values():
        assert all(METRICS[other].measure.interval for other in rule.of)
        assert rule.combine(0.6, 0.7, 0.1) < min(rule.combine(0.7, 0.7, 0.1), rule.combine(0.6, 0.8, 0.1))


def test_more_is_better_of_what_can_promote_and_it_needs_the_probabilities_only(outcome):
    known = {"accuracy", "balanced_accuracy", "macro_f1", "matthews_correlation", "cohen_kappa", "auc"}
    assert known <= set(list_promoting())
    scores = Scoring(["A", "B", "C"], ["A"], 0.1).score(np.array(["A", "B", "C"]), np.eye(3))
    for name in list_promoting():
        assert METRICS[name].ideal == METRICS[name].bounds[1] == scores[name]


def test_the_comparison_has_what_its_rows_say():
    assert list_compared()[:3] == ["accuracy", "macro_f1", "auc"]


def test_a_metric_is_a_row_and_its_function(monkeypatch, outcome):
    made_up = {
        "made_up": Metric("made up", "half the accuracy", Number(lambda draw: draw.average(draw.outcome.hits) / 2)),
        "made_up_*": Metric(
            "made up",
            "its share of all images",
            Share(lambda outcome: [Hits(outcome.truth == number, outcome.every) for number in range(3)]),
            "class",
        ),
    }
    for name, metric in made_up.items():
        monkeypatch.setitem(METRICS, name, metric)
    figures = estimate(outcome, resamples=40, confidence=0.9, seed=1)
    assert figures["made_up"] == pytest.approx(figures["accuracy"] / 2)
    assert figures["made_up_low"] < figures["made_up"] < figures["made_up_high"]
    for number, name in enumerate(outcome.class_names):
        assert figures[f"made_up_{name}"] == pytest.approx((outcome.truth == number).mean())
        assert figures[f"made_up_{name}_low"] < figures[f"made_up_{name}"] < figures[f"made_up_{name}_high"]


def test_a_row_that_resampling_inflates_has_a_reflected_interval(monkeypatch, outcome):
    reflected = estimate(outcome, resamples=60, confidence=0.9, seed=1)
    row = METRICS["ece"]
    monkeypatch.setitem(METRICS, "ece", replace(row, measure=replace(row.measure, inflated=False)))
    other = estimate(outcome, resamples=60, confidence=0.9, seed=1)
    assert {name for name in other if other[name] != reflected[name]} == {"ece_low", "ece_high"}
    assert (row.measure.interval, METRICS["ece"].measure.interval) == ("inflated", "other")
