from typing import ClassVar

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from threadpoolctl import ThreadpoolController, threadpool_limits

from crafted_models import make_classifier, make_fields, make_key, quickly
from leukoscope.features.fields import COUNT, FEATURES, SHARE, list_features
from leukoscope.training import crafted
from leukoscope.training.crafted import (
    METHODS,
    describe_training,
    fit_classifier,
    fit_estimator,
    measure_importance,
)


@pytest.fixture
def points(rng) -> tuple[np.ndarray, np.ndarray]:
    """Measurements of sixty images of three classes."""
    classes = np.repeat(np.arange(3), 20)
    return rng.normal(size=(60, 5)) + 2 * classes[:, None], classes


@pytest.mark.parametrize("method", METHODS)
def test_parameters_are_chosen_from_the_grid_and_probabilities_are_calibrated(method, points):
    features, classes = points
    with quickly():
        fitted = fit_estimator(method, features, classes, np.arange(60), True, seed=1)
        grid = METHODS[method].grid
    assert set(fitted.chosen) == set(grid)
    assert all(fitted.chosen[name] in grid[name] for name in grid)
    chances = fitted.estimator.predict_proba(features)
    assert chances.sum(axis=1) == pytest.approx(np.ones(60))
    assert (chances.argmax(axis=1) == classes).mean() > 0.85


def test_no_group_straddles_the_folds(points):
    _, classes = points
    groups = np.repeat(np.arange(30), 2)
    folds, by_group = crafted._divide(classes, groups, seed=1)
    assert by_group
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert set(classes[train]) == {0, 1, 2}


def test_where_groups_are_too_few_the_folds_are_of_images(points, caplog):
    features, classes = points
    fitted = fit_estimator("knn", features, classes, classes, False, seed=1)
    assert not fitted.by_group
    assert "in 1 group: parameters are chosen by folds of images" in caplog.text


def test_balanced_classes_weigh_alike(rng):
    classes = np.repeat([0, 1], [90, 10])
    features = rng.normal(size=(100, 2)) + classes[:, None]
    found = [fit_estimator("svm", features, classes, np.arange(100), balanced, 1) for balanced in (False, True)]
    weights = [one.estimator.estimator.named_steps["classifier"].class_weight for one in found]
    assert weights == [None, "balanced"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_classifier(points):
    features, classes = points
    with quickly():
        fitted = [fit_estimator("random_forest", features, classes, np.arange(60), True, seed) for seed in (1, 1, 2)]
    chances = [one.estimator.predict_proba(features) for one in fitted]
    assert np.array_equal(chances[0], chances[1])
    assert not np.array_equal(chances[0], chances[2])


class Counting(DummyClassifier):
    """Notes how many threads OpenMP may use when it is fitted and asked."""

    noted: ClassVar[list[int]] = []

    def fit(self, *arguments, **options):
        self.note()
        return super().fit(*arguments, **options)

    def predict_proba(self, features):
        self.note()
        return super().predict_proba(features)

    def note(self):
        self.noted.extend(library["num_threads"] for library in find_openmp())


def find_openmp() -> list:
    return ThreadpoolController().select(user_api="openmp").info()


def test_boosting_has_one_thread_of_openmp(monkeypatch):
    """On busy cores several wait for each other most of the time."""
    method = crafted.Method("counting", lambda seed, weights: Counting(), {"strategy": ("prior", "stratified")})
    monkeypatch.setitem(crafted.METHODS, "svm", method)
    monkeypatch.setattr(Counting, "noted", [])
    fields = make_fields()
    with threadpool_limits(2, user_api="openmp"):
        classifier, _ = fit_classifier(make_key(fields, "svm", ("shape", "colour")), fields, fields.splits, None, "own")
        fitted = len(Counting.noted)
        classifier.predict(fields.pixels[:2])
        assert all(library["num_threads"] == 2 for library in find_openmp())
    assert set(Counting.noted) == {1}
    assert 0 < fitted < len(Counting.noted)


def test_what_is_usual_is_the_median_of_the_training_images():
    classifier, fields = make_classifier(), make_fields()
    train = np.flatnonzero(fields.splits["split"] == "train")
    assert classifier.usual == pytest.approx(np.median(classifier.predict(fields.pixels, train).features, axis=0))


def test_a_field_whose_cells_have_no_nucleus_leaves_what_is_usual_alone(monkeypatch):
    """Such cells of a user's detector are counted, and nothing of them is measured."""
    fields = make_fields()
    measure = crafted._measure

    def measure_but_one(*arguments):
        measured = measure(*arguments).copy()
        measured[0, [name not in {COUNT, SHARE} for name in FEATURES]] = np.nan
        measured[0, FEATURES.index(COUNT)] = 4
        return measured

    with quickly():
        monkeypatch.setattr(crafted, "_measure", measure_but_one)
        classifier, _ = fit_classifier(make_key(fields), fields, fields.splits, None, "some")
    train = np.flatnonzero(fields.splits["split"] == "train")
    others = make_classifier().predict(fields.pixels, train[1:]).features
    assert classifier.usual == pytest.approx(np.median(others, axis=0))


@pytest.mark.parametrize(
    ("method", "words", "balance"),
    [
        ("svm", "support vector machine with radial kernel, on 92 measurements of shape and texture", "class weights"),
        ("knn", "5 nearest neighbours, on 92 measurements of shape and texture", "none"),
    ],
)
def test_a_training_is_told_in_words(method, words, balance):
    fields = make_fields()
    told = describe_training(make_key(fields, method, ("shape", "texture")), fields.splits)
    assert told["description"] == words
    assert told["class_balance"].startswith(balance)
    assert told["training_images"] == dict.fromkeys(("Benign", "Early", "Pre", "Pro"), 6)
    assert (told["epochs"], told["seconds_per_epoch"]) == (None, None)


def test_what_a_group_is_worth_is_what_is_lost_without_it(rng):
    """The classes differ in colour alone."""
    classes = np.repeat([0, 1], 60)
    features = rng.normal(size=(120, len(list_features(("texture", "colour")))))
    features[:, np.isin(list_features(("texture", "colour")), list_features(("colour",)))] += 2 * classes[:, None]
    estimator = fit_estimator("svm", features, classes, np.arange(120), False, 1).estimator
    lost = measure_importance(estimator, features, classes, ("texture", "colour"), seed=1)
    assert lost["colour"] == pytest.approx(0.5, abs=0.15)
    assert abs(lost["texture"]) < 0.05


def test_a_summary_says_what_groups_are_worth_where_there_are_several():
    fields = make_fields()
    names = [("shape",), ("shape", "colour")]
    facts = [fit_classifier(make_key(fields, "knn", groups), fields, fields.splits, None, "own")[1] for groups in names]
    assert "validation_accuracy_lost_by_shuffling" not in facts[0]
    assert set(facts[1]["validation_accuracy_lost_by_shuffling"]) == {"shape", "colour"}
