from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crafted_models import make_classifier, make_fields
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.pipelines.evaluation.nodes import predict_splits
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import ensemble as nodes
from leukoscope.pipelines.training.nodes import resolve_recipe
from leukoscope.training import ensemble
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns

CLASS_NAMES = ["Benign", "Early", "Pre", "Pro"]
EVALUATION = EvaluationOptions(resamples=40)
SUMMARY = {"parameters": 10, "model_mib": 0.5, "input_size": 64}


def make_entry(weights: str = "kappa", members=("first", "second")) -> ModelOptions:
    values = {"name": "vote", "kind": "ensemble", "members": members, "weights": weights}
    return ModelOptions.model_validate(values)


class Workplace:
    """Two members that were trained and evaluated, and what an ensemble makes of them."""

    def __init__(self, home) -> None:
        self.fields = make_fields()
        self.splits = self.fields.splits
        self.runs = TrainingRuns(home / "vote")
        self.models = [make_classifier("knn", ("colour",)), make_classifier("svm")]
        self.evaluated = [
            predict_splits(model, self.fields, self.splits, CLASS_NAMES, EVALUATION) for model in self.models
        ]
        self.summaries = [SUMMARY | {"splits": fingerprint_table(self.splits)}] * 2

    def train(self, weights: str = "kappa", **changed):
        entry = make_entry(weights)
        recipe = resolve_recipe(Recipe(), entry)
        splits = changed.get("splits", self.splits)
        self.predictions = nodes.collect_predictions(recipe, splits, *[one for one, _ in self.evaluated])
        self.features = nodes.collect_features(recipe, splits, *[one for _, one in self.evaluated])
        summaries = nodes.collect_summaries(recipe, splits, *self.summaries)
        given = (recipe, self.features, summaries, CLASS_NAMES, splits, SplittingOptions(), 7)
        self.key = nodes.prepare_training(*given)
        journal = self.runs.start(self.key).journal
        members = nodes.collect_models(recipe, *self.models)
        trained = nodes.train_classifier(journal, {}, members, self.predictions, summaries, splits, entry)
        self.combined = nodes.combine_predictions(
            trained[0], self.predictions, self.features, splits, CLASS_NAMES, recipe, 7
        )
        return *trained, journal


@pytest.fixture
def workplace(tmp_path) -> Workplace:
    return Workplace(tmp_path)


@pytest.mark.parametrize("weights", ["kappa", "log_loss", "equal"])
def test_what_was_said_of_each_image_is_what_the_ensemble_predicts(workplace, weights):
    classifier, history, summary, journal = workplace.train(weights)
    predictions, features = workplace.combined
    plain, seen = predict_splits(classifier, workplace.fields, workplace.splits, CLASS_NAMES, EVALUATION)
    columns = predictions.filter(like="probability_").columns
    assert predictions[columns].to_numpy() == pytest.approx(plain[columns].to_numpy(), abs=1e-6)
    assert predictions.drop(columns=columns).equals(plain.drop(columns=columns))
    pd.testing.assert_frame_equal(features, seen)
    assert journal.model == classifier.fingerprint
    assert journal.finished
    assert len(history) == 0
    assert summary["parameters"] == 20
    assert sum(summary["members"].values()) == pytest.approx(1)


def test_validation_images_are_held_out_of_a_regression(workplace):
    classifier = workplace.train("stacking")[0]
    plain = classifier.predict(workplace.fields.pixels).probabilities
    combined = workplace.combined[0].filter(like="probability_").to_numpy()
    validation = (workplace.splits["split"] == "validation").to_numpy()
    assert combined[~validation] == pytest.approx(plain[~validation], abs=1e-5)
    assert np.abs(combined[validation] - plain[validation]).max() > 1e-3


def test_the_same_vote_is_the_same_training(workplace):
    first = workplace.train()[3]
    assert workplace.train()[3].folder == first.folder
    assert workplace.train("equal")[3].folder != first.folder
    workplace.models[0] = make_classifier("random_forest", ("colour",))
    with pytest.raises(InputError, match="first was trained again after it had been evaluated"):
        workplace.train()


@pytest.mark.parametrize("fault", ["summary", "images", "split"])
def test_a_member_of_other_splits_is_refused(workplace, fault):
    predictions, features = workplace.evaluated[1]
    if fault == "summary":
        workplace.summaries[1] = SUMMARY | {"splits": "others"}
    elif fault == "images":
        workplace.evaluated[1] = (predictions[1:], features)
    else:
        workplace.evaluated[1] = (predictions.replace({"split": {"test": "train"}}), features)
    with pytest.raises(InputError, match=r"second was trained or evaluated on other splits.*train_second"):
        workplace.train()


def test_a_vote_is_held_against_its_best_member_on_validation_images(workplace):
    _, _, summary, _ = workplace.train()
    judged = nodes.judge_vote(
        workplace.combined[0], workplace.predictions, summary, workplace.splits, EVALUATION, make_entry(), 7
    )
    assert judged["best"] == "second"  # all discs are of one colour
    assert judged["members"]["first"]["validation_accuracy"] < judged["members"]["second"]["validation_accuracy"]
    test = (workplace.splits["split"] == "test").to_numpy()
    ours, theirs = (
        (table["predicted"] == table["label"])[test].mean()
        for table in (workplace.combined[0], workplace.predictions["second"])
    )
    assert judged["difference"] == pytest.approx(ours - theirs)
    assert judged["members"]["second"]["test_accuracy"] == pytest.approx(theirs)
    assert 0 <= judged["p"] <= 1
    assert isinstance(judged["shown"], bool)


def test_an_ensemble_of_other_splits_predicts_nothing(workplace):
    classifier = workplace.train()[0]
    other = replace(classifier, members={name: replace(one, trained_on="") for name, one in classifier.members.items()})
    recipe = resolve_recipe(Recipe(), make_entry())
    with pytest.raises(InputError, match="learned on other splits"):
        nodes.combine_predictions(
            other, workplace.predictions, workplace.features, workplace.splits, CLASS_NAMES, recipe, 7
        )


def test_a_shuffled_evaluation_is_put_in_order(workplace):
    workplace.train()
    before = workplace.combined
    workplace.evaluated[0] = tuple(table.sample(frac=1, random_state=1) for table in workplace.evaluated[0])
    workplace.train()
    for first, second in zip(before, workplace.combined, strict=True):
        pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("kappa", "the sum of their probabilities, weighted by Cohen's kappa on the validation images"),
        ("equal", "the mean of their probabilities"),
        ("stacking", "a regression on the logarithms of their probabilities"),
    ],
)
def test_a_vote_is_told_in_words(workplace, rule, words):
    summary = workplace.train(rule)[2]
    assert summary["description"].startswith(f"ensemble of first, second: {words}")
    assert (summary["epochs"], summary["weights_by"]) == (None, rule)
    assert summary["splits"] == fingerprint_table(workplace.splits)


def test_another_format_is_another_vote(workplace, monkeypatch):
    workplace.train()
    before = workplace.key
    monkeypatch.setattr(ensemble, "ENSEMBLE_FORMAT", -1)
    workplace.train()
    assert [name for name in before if before[name] != workplace.key[name]] == ["format"]
