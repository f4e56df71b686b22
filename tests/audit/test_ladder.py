import numpy as np
import pandas as pd
import pytest

from leukoscope.audit import verdict
from leukoscope.audit.ladder import Ladder

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


def test_a_protocol_with_too_few_groups_is_left_out_and_told(images, caplog):
    groups = images["look"].where(images["label"] == "a", "one")
    protocols = {"image": pd.Series(np.arange(200)), "look": groups}
    table = LADDER.climb(images, {"border": np.zeros((200, 1))}, protocols)
    assert table["protocol"].tolist() == ["image"]
    assert "look, border: not judged, a class has 1 groups, too few for 5 folds" in caplog.text


def test_no_images_are_no_fault(images):
    nothing = images.iloc[:0]
    assert LADDER.climb(nothing, {"vgg16_features": np.zeros((0, 3))}, {"look": nothing["look"]}).empty


def row(protocol, predictor, accuracy, reach=0.01) -> dict:
    facts = {"protocol": protocol, "predictor": predictor, "accuracy": accuracy}
    return facts | {"low": accuracy - reach, "high": accuracy + reach}


LABELS = pd.Series(["a", "b", "c", "d"] * 10)


def test_background_that_tells_the_classes_apart_raises_the_alarm():
    table = pd.DataFrame([row("image", "background", 0.99), row("image", "corner", 0.9)])
    raised, text = verdict.judge(table, LABELS, alarm=0.5)
    assert raised
    assert text.startswith("ALARM")
    assert "the colours of the background reach 0.990 (0.980 to 1.000); an accuracy below that need say nothing" in text


def test_colours_that_may_count_cells_are_told_and_raise_none():
    table = pd.DataFrame([row("image", "colour_histogram", 0.99), row("image", "border", 0.3)])
    raised, text = verdict.judge(table, LABELS, alarm=0.5)
    assert not raised
    assert "stain colour alone (the field's colours, wherever in it they are) reaches 0.990" in text
    assert "need say nothing about cells' form" in text
    assert "what sees no cell gets less than 50% of the way from chance to no error" in text


@pytest.mark.parametrize(("accuracy", "raised"), [(0.64, True), (0.63, False)])
def test_the_alarm_is_where_the_parameter_says(accuracy, raised):
    table = pd.DataFrame([row("image", "background", accuracy)])
    assert verdict.judge(table, LABELS, alarm=0.5)[0] is raised  # at 0.25 + 0.5 * 0.75, by the interval's lower end


def test_a_network_is_told_under_the_strictest_protocol_that_left_it_images():
    rows = [row("image", "vgg16_features", 0.9), row("look", "vgg16_features", 0.7), row("look", "border", 0.4)]
    _, text = verdict.judge(pd.DataFrame(rows).assign(images=80), LABELS, alarm=0.5)
    assert "Looks (clusters of colours) held out together: vgg16 features of a trained network reach 0.700" in text
    assert "on 80 images of groups that it had not seen" in text


def test_without_a_network_the_verdict_says_so():
    _, text = verdict.judge(pd.DataFrame([row("image", "file", 0.3)]), LABELS, alarm=0.5)
    assert "No trained backbone was there" in text
