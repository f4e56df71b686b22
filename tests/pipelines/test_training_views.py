import pytest

from crafted_models import make_classifier, make_fields
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.pipelines.evaluation.nodes import predict_splits
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import views as nodes
from leukoscope.pipelines.training.nodes import resolve_recipe
from leukoscope.training.options import ModelOptions
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns

SUMMARY = {"parameters": 10, "model_mib": 0.5, "input_size": 64}


def train(home, views: str = "symmetries", splits: str | None = None):
    entry = ModelOptions.model_validate({"name": "own", "kind": "views", "member": "first", "views": views})
    summary = SUMMARY | {"splits": splits or fingerprint_table(make_fields().splits)}
    members, recipe = {"first": make_classifier()}, resolve_recipe(Recipe(), entry)
    key = nodes.prepare_training(recipe, members, {"first": summary}, SplittingOptions(), 7)
    journal = TrainingRuns(home).start(key).journal
    return *nodes.train_classifier(journal, {}, members, {"first": summary}, entry), journal


def test_it_is_evaluated_as_any_model_is(tmp_path):
    classifier, history, summary, journal = train(tmp_path)
    assert journal.finished
    assert journal.model == classifier.fingerprint
    assert len(history) == 0
    assert summary["description"] == "first under the eight symmetries of the square: the mean of its scores"
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


def test_a_member_that_was_trained_again_is_refused(tmp_path):
    with pytest.raises(InputError, match="first was trained again"):
        train(tmp_path, splits="others")
