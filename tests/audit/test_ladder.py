import numpy as np
import pandas as pd
import pytest

from leukoscope.audit import verdict
from leukoscope.audit.ladder import Ladder
from leukoscope.errors import InputError

LADDER = Ladder(folds=5, trees=30, resamples=200, confidence=0.95, seed=1)


@pytest.fixture
def images() -> pd.DataFrame:
    """Two classes, in looks of ten images each of which is of one class."""
    looks = np.repeat(np.arange(20), 10)
    return pd.DataFrame({"label": np.where(looks % 2, "a", "b"), "look": looks}).astype(str)


def test_what_knows_looks_fails_when_they_are_held_out(images, rng):
    sees_look = rng.normal(images["look"].astype(int).to_numpy()[:, None], 0.01, (200, 1))
    protocols = {"image": pd.Series(np.arange(200)), "look": images["look"]}
    table = LADDER.climb(images, {"colour_histogram": sees_look}, protocols).set_index("protocol")
    assert table.loc["image", "accuracy"] > 0.95
    assert table.loc["look", "accuracy"] < 0.7
    assert table["groups"].to_dict() == {"image": 200, "look": 20}
    assert (table["images"] == 200).all()
    assert table["accuracy"].between(table["low"], table["high"]).all()


def test_features_of_a_network_are_read_by_logistic_regression(images, rng):
    separable = (images["label"] == "a").to_numpy()[:, None] + rng.normal(0, 0.1, (200, 3))
    table = LADDER.climb(images, {"vgg16_features": separable}, {"look": images["look"]})
    assert table["accuracy"].tolist() == [1.0]


def test_a_class_with_fewer_groups_than_folds_is_named(images):
    groups = images["look"].where(images["label"] == "a", "one")
    with pytest.raises(InputError, match=r"protocol 'look': class b has 1 of them, too few for 5 folds.*audit.folds"):
        LADDER.climb(images, {"border": np.zeros((200, 1))}, {"look": groups})


def row(protocol, predictor, accuracy, reach=0.01) -> dict:
    facts = {"protocol": protocol, "predictor": predictor, "accuracy": accuracy}
    return facts | {"low": accuracy - reach, "high": accuracy + reach}


LABELS = pd.Series(["a", "b", "c", "d"] * 10)


def test_colour_that_tells_the_classes_apart_raises_the_alarm():
    table = pd.DataFrame([row("image", "colour_histogram", 0.99), row("image", "border", 0.9)])
    raised, text = verdict.judge(table, LABELS, alarm=0.5)
    assert raised
    assert text.startswith("ALARM")
    assert "stain colour alone reaches 0.990 (0.980 to 1.000); an accuracy below that says nothing about" in text


@pytest.mark.parametrize(("accuracy", "raised"), [(0.64, True), (0.63, False)])
def test_the_alarm_is_where_the_parameter_says(accuracy, raised):
    table = pd.DataFrame([row("image", "background", accuracy)])
    assert verdict.judge(table, LABELS, alarm=0.5)[0] is raised  # at 0.25 + 0.5 * 0.75, by the interval's lower end


@pytest.mark.parametrize(("accuracy", "words"), [(0.9, "more than"), (0.56, "not clearly more than")])
def test_a_network_is_measured_against_what_cannot_see(accuracy, words):
    table = pd.DataFrame([row("look", "thumbnail", 0.55), row("look", "vgg16_features", accuracy)])
    _, text = verdict.judge(table, LABELS, alarm=0.5)
    assert f"{accuracy - 0.01:.3f} to {accuracy + 0.01:.3f}), {words} a thumbnail" in text


def test_without_a_network_the_verdict_says_so():
    _, text = verdict.judge(pd.DataFrame([row("image", "file", 0.3)]), LABELS, alarm=0.5)
    assert "No trained backbone was there" in text
