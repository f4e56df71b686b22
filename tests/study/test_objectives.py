"""The figures that a search can look for."""

import numpy as np
import pytest

from leukoscope.study.objectives import OBJECTIVES, choose_clusters, score, select


def test_figures_are_of_the_images_that_were_given():
    truth = np.array([0] * 10 + [1] * 5)
    said = np.array([0] * 10 + [0] * 2 + [1] * 3)
    clusters = np.array([0] * 9 + [1] * 6)  # the errors are in the second
    scores = score(truth, np.eye(2)[said] * 0.8 + 0.1, np.eye(2)[1 - said], clusters, 1 - clusters, 0.03)
    assert set(scores) == set(OBJECTIVES)
    assert scores["validation_loss"] == pytest.approx(-(13 * np.log(0.9) + 2 * np.log(0.1)) / 15)
    assert scores["validation_accuracy"] == pytest.approx(13 / 15)
    assert scores["balanced_accuracy"] == pytest.approx(0.8)
    assert scores["worst_cluster"] == scores["worst_series"] == pytest.approx(4 / 6)
    assert scores["grey"] == pytest.approx(2 / 15)
    assert scores["milliseconds"] == pytest.approx(2)


def test_clusters_of_few_images_do_not_count():
    truth = np.array([0] * 7)
    said = np.array([0] * 5 + [1] * 2)
    assert score(truth, np.eye(2)[said], np.eye(2)[said], np.array([0] * 5 + [1] * 2), None, 1)["worst_cluster"] == 1
    scattered = score(truth, np.eye(2)[said], np.eye(2)[said], np.arange(7), np.arange(7), 1)
    assert scattered["worst_cluster"] == scattered["worst_series"] == pytest.approx(5 / 7)


def test_where_series_are_not_known_the_worst_is_not_either():
    truth = np.array([0] * 7)
    scores = score(truth, np.eye(2)[truth], np.eye(2)[truth], truth, None, 1)
    assert scores["worst_series"] is None
    with pytest.raises(ValueError, match="worst_series came out as nan"):
        select(scores, ("worst_series",))


def test_a_certain_error_leaves_the_loss_a_number():
    assert score(np.array([0]), np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]]), np.array([0]), None, 1)[
        "validation_loss"
    ] == pytest.approx(-np.log(1e-7))


def test_few_images_have_few_clusters():
    assert [choose_clusters(images) for images in (1, 19, 40, 1000)] == [1, 1, 4, 8]


def test_what_is_no_number_cannot_be_compared():
    assert select({"grey": 1, "milliseconds": 2.5}, ("milliseconds", "grey")) == [2.5, 1.0]
    with pytest.raises(ValueError, match="grey came out as nan"):
        select({"grey": np.nan}, ("grey",))
