"""Folds on made predictions, whose figures can be told by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from leukoscope.core.errors import InputError
from leukoscope.evaluation import folds
from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.evaluation.records import EvaluationRecord
from leukoscope.evaluation.scoring import Scoring

NAMES = ["Benign", "Early"]
KEY = {"architecture": "tiny", "recipe": {"epochs": 2}, "seed": 1, "format": 1, "engine": {"backend": "tensorflow"}}
KEY |= {"data": {"images": ["of the fold"], "size": 32}, "splits": "of the fold", "split": "fold-1-of-3"}


def make_record(number: int | None, count: int = 3, wrong: int = 0, written: float = 0.0, **facts) -> EvaluationRecord:
    """Make the evaluation of a fold of four images, two a class, of which the first ones are wrong."""
    labels = np.array(["Benign", "Early", "Benign", "Early"])
    right = np.arange(4) >= wrong
    sure = np.where((labels == "Benign") == right, 0.9, 0.2)
    table = tabulate_probabilities(np.column_stack([sure, 1 - sure]), NAMES)
    ids = [f"{number}-{place}" for place in range(4)]
    table = table.assign(image_id=ids, label=labels, group=ids, copies=ids)
    accuracy = float(right.mean())
    metrics = dict.fromkeys((f"test_{name}" for name in folds.FIGURES), accuracy)
    own = {"images": [f"of fold {number}"], "size": 32}
    key = KEY | {"data": own, "splits": f"of fold {number}", "split": f"fold-{number}-of-{count}"}
    known = {"model": f"model {number}", "key": key, "fold": [number, count] if number else None, "seed": 1}
    known |= {"splitting": {"group_by": "duplicate", "fold": f"{number} of {count}"}, "data": "abc", "accepted": 12}
    place = f"fold-{number}-of-{count}/runs/abc"
    return EvaluationRecord(known | {"class_names": NAMES} | facts, metrics, table, place, written)


@pytest.fixture
def three() -> list[EvaluationRecord]:
    """Three folds with none, one and two errors."""
    return [make_record(number, wrong=number - 1, written=number) for number in (1, 2, 3)]


def test_folds_of_one_recipe_are_one_set(three):
    (same,) = folds.list_sets("tiny", three)
    assert (same.name, same.count, sorted(same.records), same.missing, same.written) == ("tiny", 3, [1, 2, 3], [], 3)
    assert folds.list_sets("tiny", [make_record(None)]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 2}, ["images.seed"]),
        ({"data": "other images"}, ["images.data"]),
        ({"key": KEY | {"recipe": {"epochs": 3}}}, ["training.recipe.epochs"]),
        ({"key": KEY | {"data": {"images": ["of the fold"], "size": 48}}}, ["training.data.size"]),
        ({"splitting": {"group_by": "appearance", "fold": "3 of 3"}}, ["splitting.group_by"]),
        ({"fold": [3, 4]}, ["folds"]),
    ],
)
def test_what_differs_is_another_set_and_is_told(three, change, told):
    sets = folds.list_sets("tiny", [*three[:2], make_record(3, **change, written=1)])
    assert [same.missing for same in sets] == [[3], [1, 2] if "fold" not in change else [1, 2, 4]]
    assert folds.explain_differences(sets[0], sets[1:]) == {3: told}


@pytest.mark.parametrize(("fact", "sets"), [("strips", 1), ("table", 1), ("diameter", 2)])
def test_the_cells_of_other_images_make_no_difference_and_how_they_were_found_does(three, fact, sets):
    for record in three:
        record.facts["key"]["data"]["cells"] = {"diameter": 20.0} | {fact: f"of {record.place}"}
    assert len({len(same.records) for same in folds.list_sets("tiny", three)}) == 1
    assert len(folds.list_sets("tiny", three)) == (1 if sets == 1 else 3)


def test_engine_and_fold_make_no_difference(three):
    other = make_record(3, key=KEY | {"engine": {"backend": "jax"}})
    assert len(folds.list_sets("tiny", [*three[:2], other])) == 1


@pytest.mark.parametrize(("epochs", "missing"), [(2, [[]]), (3, [[3], [1, 2]])])
def test_members_of_a_vote_differ_from_fold_to_fold_and_must_be_trained_alike(three, epochs, missing):
    """A vote of a network and of its views, whose key names the network's model in turn."""
    three[2].facts["key"]["recipe"] = {"epochs": epochs}
    views = [
        make_record(number, model=f"views {number}", key={"models": {"tiny": f"model {number}"}})
        for number in (1, 2, 3)
    ]
    votes = [
        make_record(
            number, model=f"vote {number}", key={"models": {"tiny": f"model {number}", "seen": f"views {number}"}}
        )
        for number in (1, 2, 3)
    ]
    runs = folds.describe_members({"tiny": three, "seen": views, "vote": votes})
    sets = folds.list_sets("vote", runs["vote"])
    assert [same.missing for same in sets] == missing
    if len(sets) > 1:
        told = {"training.models.tiny.recipe.epochs", "training.models.seen.models.tiny.recipe.epochs"}
        assert set(folds.explain_differences(sets[0], sets[1:])[3]) == told


@pytest.mark.parametrize(("epochs", "sets"), [(2, 1), (3, 2)])
def test_teachers_and_generated_images_differ_from_fold_to_fold(three, epochs, sets):
    three[2].facts["key"]["recipe"] = {"epochs": epochs}
    students = [
        make_record(
            number,
            model=f"student {number}",
            key=KEY | {"teacher": f"model {number}", "synthetic": {"share": 0.25, "images": f"of fold {number}"}},
        )
        for number in (1, 2, 3)
    ]
    runs = folds.describe_members({"tiny": three, "student": students})
    assert len(folds.list_sets("student", runs["student"])) == sets


def test_a_member_that_is_gone_is_another_one(three):
    votes = [
        make_record(number, model=f"vote {number}", key={"models": {"tiny": f"model {number}"}}) for number in (1, 2, 3)
    ]
    assert len(folds.list_sets("vote", folds.describe_members({"vote": votes})["vote"])) == 3


def test_of_a_fold_that_was_evaluated_twice_the_newest_counts_and_so_does_the_newest_set(three):
    again = make_record(2, wrong=4, written=9)
    (same,) = folds.list_sets("tiny", [again, *three])
    assert same.records[2] is again
    newer = [make_record(number, seed=2, written=20 + number) for number in (1, 2, 3)]
    assert [one.facts["seed"] for one in folds.list_sets("tiny", [*newer, *three])] == [2, 1]


def test_pooled_predictions_have_each_image_once_and_its_fold(three):
    pooled = folds.FoldSet("tiny", 3, dict(enumerate(three, 1))).pool()
    assert list(pooled) == [
        "image_id",
        "label",
        "group",
        "fold",
        "predicted",
        "probability_benign",
        "probability_early",
    ]
    assert pooled["image_id"].is_unique
    assert pooled.groupby("fold").size().to_dict() == {1: 4, 2: 4, 3: 4}
    assert (pooled["label"] != pooled["predicted"]).groupby(pooled["fold"]).sum().tolist() == [0, 1, 2]


def test_an_image_in_two_folds_or_in_none_is_refused(three):
    twice = make_record(2)
    twice.predictions["image_id"] = three[0].predictions["image_id"]
    with pytest.raises(InputError, match="3 folds of tiny do not divide the images: 4 images are tested in two folds"):
        folds.FoldSet("tiny", 3, {1: three[0], 2: twice, 3: three[2]}).pool()
    three[0].facts["accepted"] = 13
    with pytest.raises(InputError, match=r"1 image in none.*Remove the folders fold-1-of-3/runs/abc, .*of the model"):
        folds.FoldSet("tiny", 3, dict(enumerate(three, 1))).pool()
    three[0].facts["splitting"] = {"group_by": "series"}  # where images without a number are in no fold
    assert len(folds.FoldSet("tiny", 3, dict(enumerate(three, 1))).pool()) == 12


def test_copies_in_two_folds_are_one_group(three):
    three[1].predictions.loc[0, "copies"] = three[0].predictions.loc[3, "copies"]
    pooled = folds.FoldSet("tiny", 3, dict(enumerate(three, 1))).pool().set_index("image_id")
    assert pooled.loc["1-3", "group"] == pooled.loc["2-0", "group"]
    assert pooled["group"].nunique() == 11


def test_the_spread_between_folds_is_that_of_their_figures(three):
    table = folds.tabulate_folds(folds.FoldSet("tiny", 3, dict(enumerate(three, 1))))
    assert table["fold"].tolist() == [1, 2, 3]
    assert table["accuracy"].tolist() == [1.0, 0.75, 0.5]
    assert (table["images"] == 4).all()
    spread = folds.describe_spread(table)
    assert spread["auc_fold_mean"] == pytest.approx(0.75)
    assert spread["auc_fold_sd"] == pytest.approx(0.25)  # of 1, 0.75 and 0.5, with n - 1
    assert (spread["auc_fold_min"], spread["auc_fold_max"]) == (0.5, 1.0)
    assert len(spread) == 4 * len(folds.FIGURES)


def test_a_figure_that_is_undefined_in_a_fold_has_no_spread(three):
    three[0].metrics["test_auc"] = None
    spread = folds.describe_spread(folds.tabulate_folds(folds.FoldSet("tiny", 3, dict(enumerate(three, 1)))))
    assert np.isnan([spread[f"auc_fold_{name}"] for name in folds.SPREAD]).all()
    assert spread["accuracy_fold_mean"] == pytest.approx(0.75)


def test_pooled_figures_are_those_of_all_images_at_once(three):
    pooled = folds.FoldSet("tiny", 3, dict(enumerate(three, 1))).pool()
    figures = folds.judge_pooled(pooled, Scoring(NAMES, ("Benign",), 0.1), 200, 0.95, 1)
    truth, predicted = pooled["label"], pooled["predicted"]
    assert (figures["images"], figures["groups"], figures["error_groups"]) == (12, 12, 3)
    assert figures["accuracy"] == 0.75  # 9 of 12
    assert figures["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert figures["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert figures["auc"] == pytest.approx(roc_auc_score(truth == "Early", pooled["probability_early"]))
    for name in folds.FIGURES:
        assert figures[f"{name}_low"] < figures[name] < figures[f"{name}_high"]
    fewer = pooled.assign(group=pooled["fold"])
    wider = folds.judge_pooled(fewer, Scoring(NAMES, ("Benign",), 0.1), 200, 0.95, 1)
    assert wider["groups"] == 3
    assert wider["accuracy_low"] < figures["accuracy_low"]


def test_a_record_comes_back_and_a_broken_one_is_told(three, tmp_path):
    three[1].save(tmp_path)
    read = EvaluationRecord.load(tmp_path, "fold-2-of-3/runs/abc")
    assert (read.facts, read.metrics, read.place) == (three[1].facts, three[1].metrics, three[1].place)
    pd.testing.assert_frame_equal(read.predictions, three[1].predictions)
    assert read.fold == (2, 3)
    three[0].predictions.to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(ValueError, match="not of one evaluation"):
        EvaluationRecord.load(tmp_path)
    for file, damage in (("metrics.json", "{}"), ("facts.json", "[]"), ("facts.json", "{")):
        three[1].save(tmp_path)
        (tmp_path / file).write_text(damage)
        with pytest.raises(ValueError, match=file if damage != "{" else "Expecting"):
            EvaluationRecord.load(tmp_path)


def test_a_record_of_an_earlier_version_is_of_the_same_set(three, tmp_path, caplog):
    splitting = three[0].facts["splitting"] | {"group_by": "appearance", "appearance_clusters": 60}
    old = splitting | {"group_by": "look", "looks": 60}
    del old["appearance_clusters"]
    replace(three[0], facts=three[0].facts | {"splitting": old}).save(tmp_path)
    assert EvaluationRecord.load(tmp_path).facts["splitting"] == splitting
    assert [record.levelname for record in caplog.records] == ["WARNING"]
