from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leukoscope.audit import verdict
from leukoscope.audit.ladder import Ladder

LADDER = Ladder(("a", "b"), folds=5, trees=30, resamples=200, confidence=0.95, seed=1)


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


def test_a_class_without_images_is_not_left_out_in_silence(images, caplog):
    left = images[images["label"] == "a"].reset_index(drop=True)
    left.loc[:40, "label"] = "c"
    ladder = replace(LADDER, classes=("a", "b", "c"))
    table = ladder.climb(left, {"vgg16_features": np.zeros((100, 3))}, {"look": left["look"]})
    assert table.empty
    assert "look, vgg16_features: not judged, a class has 0 groups" in caplog.text


def test_few_groups_are_warned_of(images, caplog):
    LADDER.climb(images, {"border": np.zeros((200, 1))}, {"look": images["look"]})
    assert "look, border: the intervals are of 20 groups" in caplog.text


def test_no_images_are_no_fault(images):
    nothing = images.iloc[:0]
    assert LADDER.climb(nothing, {"vgg16_features": np.zeros((0, 3))}, {"look": nothing["look"]}).empty


def row(protocol, predictor, accuracy, reach=0.01) -> dict:
    facts = {"protocol": protocol, "predictor": predictor, "accuracy": accuracy, "images": 80, "groups": 60}
    return facts | {"low": accuracy - reach, "high": accuracy + reach}


LABELS = pd.Series(["a", "b", "c", "d"] * 10)


def judge(*rows: dict) -> verdict.Verdict:
    return verdict.judge(pd.DataFrame(rows), LABELS, alarm=0.5, data="f00d")


def test_background_that_tells_the_classes_apart_raises_the_alarm():
    outcome, text = judge(row("duplicate", "background", 0.99), row("duplicate", "corner", 0.9))
    assert outcome == "alarm"
    assert text.startswith("ALARM")
    assert "the colours of the background reach 0.990 (0.980 to 1.000; 60 groups); an accuracy below that need" in text


def test_colours_that_may_count_cells_are_told_and_raise_none():
    outcome, text = judge(row("duplicate", "colour_histogram", 0.99), row("duplicate", "border", 0.3))
    assert outcome == "no alarm"
    assert "stain colour alone (the field's colours, wherever in it they are) reaches 0.990" in text
    assert "need say nothing about cells' form" in text
    assert "is not shown to get further than 50% of the way from the share of the largest class to no error" in text


@pytest.mark.parametrize(("accuracy", "outcome"), [(0.64, "alarm"), (0.63, "no alarm")])
def test_the_alarm_is_where_the_parameter_says(accuracy, outcome):
    # At 0.25 + 0.5 * 0.75, by the interval's lower end.
    assert judge(row("look", "background", accuracy)).outcome == outcome


def test_what_only_tells_copies_apart_raises_no_alarm():
    outcome, text = judge(row("image", "background", 1.0), row("duplicate", "background", 0.2))
    assert outcome == "no alarm"
    assert "Image by image, duplicates on both sides: the colours of the background reach 1.000" in text


@pytest.mark.parametrize("rows", [[], [row("image", "border", 0.9)], [row("look", "thumbnail", 0.9)]])
def test_where_nothing_was_judged_strictly_there_is_no_verdict(rows):
    table = pd.DataFrame(rows, columns=list(row("", "", 0)))
    outcome, text = verdict.judge(table, LABELS, alarm=0.5, data="f00d")
    assert outcome == "not judged"
    assert text.startswith("Not judged")
    assert "larm" not in text


def test_the_alarm_is_told_of_what_can_raise_it_only():
    _, text = judge(*(row(*one, 0.5) for one in (("image", "border"), ("look", "border"), ("look", "thumbnail"))))
    assert [line.split(":")[0] for line in text.splitlines() if "the alarm is at 0.625" in line] == [
        "Looks (clusters of colours) held out together"
    ]


def test_a_network_is_told_under_the_strictest_protocol_that_left_it_images():
    _, text = judge(row("image", "vgg16_features", 0.9), row("look", "vgg16_features", 0.7), row("look", "border", 0.4))
    assert "Looks (clusters of colours) held out together: vgg16 features of a trained network reach 0.700" in text
    assert "on 80 images of groups that it had not learned from.\nAmong these images are those of validation" in text


def test_without_a_network_the_verdict_says_so():
    assert "No trained backbone was there" in judge(row("image", "file", 0.3)).text


@pytest.mark.parametrize(("data", "there"), [("f00d", True), ("beef", False)])
def test_an_audit_is_of_the_images_that_it_was_made_of(data, there):
    table = pd.DataFrame([row("look", "border", 0.3)])
    text = judge(row("look", "border", 0.3)).text
    assert verdict.is_of(data, table.assign(data="f00d"), text) is there
    assert not verdict.is_of(data, table, text)  # of before tables said of what they are
    assert not verdict.is_of(data, table.assign(data=data), "Another verdict.")
    assert not verdict.is_of(data, None, text)
