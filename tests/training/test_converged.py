from functools import partial

import numpy as np
import pytest

import tiny_backbone as tiny
from leukoscope.models.network import Classifier, build_classifier
from leukoscope.training import converged
from leukoscope.training.converged import fit_head, judge_head
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe

NAMES = ["a", "b", "c"]


@pytest.fixture
def build(monkeypatch):
    tiny.add(partial(monkeypatch.setattr, raising=False))

    def build_with(**values) -> Classifier:
        recipe = resolve_recipe(tiny.NAME, Recipe(weights="none"), RecipeDifferences(**values))
        return build_classifier(tiny.NAME, recipe, NAMES, 0)

    return build_with


@pytest.fixture
def data(rng) -> tuple[np.ndarray, np.ndarray]:
    classes = rng.integers(0, 3, 60)
    features = rng.normal(size=(60, tiny.CHANNELS)) * np.linspace(0.5, 3, tiny.CHANNELS) + 4
    features[:, :3] += np.eye(3)[classes]
    return features.astype("float32"), classes


def test_it_is_the_logistic_regression_of_scikit_learn(build, data):
    from sklearn.linear_model import LogisticRegression

    features, classes = data
    weights = np.where(classes == 0, 2.0, 0.5)
    parts = build().parts
    fit_head(parts, features, classes, weights, 0.05)
    theirs = LogisticRegression(C=1 / (0.05 * weights.sum()), tol=1e-8, max_iter=9999)
    theirs.fit(features.astype("float64"), classes, weights)
    # softmax knows scores up to a constant
    kernels = (parts.linear_head.kernel, theirs.coef_.T)
    ours, expected = (one - one.mean(axis=1, keepdims=True) for one in kernels)
    assert ours == pytest.approx(expected, abs=1e-3)
    assert judge_head(parts, features, classes, weights).accuracy == pytest.approx(
        np.average(theirs.predict(features) == classes, weights=weights)
    )


def test_a_repeated_image_counts_as_one_of_that_weight(build, data):
    features, classes = data
    repeats = np.arange(60) % 3
    repeated, weighed = build().parts, build().parts
    fit_head(repeated, features.repeat(repeats, axis=0), classes.repeat(repeats), np.ones(repeats.sum()), 0.1)
    fit_head(weighed, features, classes, repeats.astype(float), 0.1)
    assert repeated.linear_head.kernel == pytest.approx(weighed.linear_head.kernel, abs=1e-4)


def test_a_fit_that_does_not_end_says_so_in_one_line(build, data, monkeypatch, caplog):
    features, classes = data
    monkeypatch.setattr(converged, "_ITERATIONS", 3)
    fit_head(build().parts, features, classes, np.ones(60), 1e-6)
    (record,) = caplog.records
    assert "has not converged in 3 steps" in record.message
    assert "training.weight_decay is too small. training.head_norm standardises them." in record.message
    assert "\n" not in record.message


def test_a_norm_makes_the_scale_of_features_nothing(build, data):
    features, classes = data
    scores = []
    for scale in (1.0, 100.0):
        parts = build(head_norm=True).parts
        fit_head(parts, scale * features, classes, np.ones(60), 0.1)
        kernel, bias = parts.linear_head
        scores.append(scale * features @ kernel + bias)
    assert scores[0] == pytest.approx(scores[1], abs=0.02)
