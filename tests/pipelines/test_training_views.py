import pytest

from crafted_models import make_classifier, make_fields
from leukoscope.core.errors import InputError
from leukoscope.pipelines.evaluation.nodes import predict_splits
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import views as nodes
from leukoscope.pipelines.training.nodes import resolve_recipe
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns

SUMMARY = {"parameters": 10, "model_mib": 0.5, "input_size": 64}


def train(home, views: str = "symmetries", cut: int = 0):
    entry = ModelOptions.model_validate({"name": "own", "kind": "views", "member": "first", "views": views})
    members, recipe = {"first": make_classifier()}, resolve_recipe(Recipe(), entry)
    key = nodes.prepare_training(recipe, members, make_fields().splits[cut:], SplittingOptions(), 7)
    journal = TrainingRuns(home).start(key).journal
    classifier, history = nodes.train_classifier(journal, {}, members, entry)
    return classifier, history, nodes.describe_training(journal, {"first": SUMMARY}), journal


def test_it_is_evaluated_as_any_model_is(tmp_path):
    classifier, history, summary, journal = train(tmp_path)
    assert journal.finished
    assert journal.model == classifier.fingerprint
    assert len(history) == 0
    assert summary["description"] == "first under the eight symmetries of the square: the mean of its scores"
    assert (summary["weights"], summary["backend"]) == ("those of first", "Pillow")
    assert (summary["parameters"], summary["splits"]) == (10, classifier.trained_on)
    fields = make_fields()
    predictions, features = predict_splits(
        classifier, fields, fields.splits, list(classifier.class_names), EvaluationOptions()
    )
    assert len(predictions) == len(features) == len(fields.splits)
    assert set(features["model"]) == {classifier.fingerprint}


def test_the_same_views_are_the_same_training(tmp_path):
    first = train(tmp_path)[-1]
    assert train(tmp_path)[-1].folder == first.folder
    assert train(tmp_path, "rotations")[-1].folder != first.folder


def test_a_member_of_other_splits_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"first was trained or evaluated on other splits.*train_first"):
        train(tmp_path, cut=1)
