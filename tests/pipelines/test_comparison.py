import logging

import numpy as np
import pandas as pd
import pytest

from leukoscope.errors import InputError
from leukoscope.pipelines.comparison.nodes import compare_backbones, compare_predictions, draw_comparison
from leukoscope.pipelines.evaluation.options import EvaluationOptions


def result(backbone: str, accuracy: float, **changes) -> dict:
    scores = dict.fromkeys(("train_accuracy", "test_accuracy", "test_macro_f1", "test_auc"), accuracy)
    costs = {"parameters": 2e6, "model_mib": 8.0, "seconds_per_epoch": 20.0, "test_images": 72, "splits": "a"}
    report = {"report_train_accuracy": 0.98, "report_test_accuracy": 0.97, "report_seconds_per_epoch": None}
    return {"backbone": backbone, "title": backbone} | scores | costs | report | changes


def test_whatever_has_results_is_compared():
    table = compare_backbones(result("resnet50", 0.9), None, result("vgg16", 0.8), None, None)
    assert table["backbone"].tolist() == ["resnet50", "vgg16"]


def test_without_any_results_it_says_what_to_do():
    with pytest.raises(InputError, match="kedro run --pipeline train_resnet50"):
        compare_backbones(None, None)


def test_different_test_sets_are_pointed_out(caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        compare_backbones(result("resnet50", 0.9), result("vgg16", 0.8, splits="b"))
    assert "their test sets differ" in caplog.text


def test_the_figure_has_our_bars_and_marks_the_reports_figures():
    table = compare_backbones(result("resnet50", 0.9), result("vgg16", 0.8, report_test_accuracy=None))
    figure = draw_comparison(table, pd.DataFrame())
    scores = figure.subfigs[0].axes[0]
    heights = [bar.get_height() for bar in scores.patches]
    assert sorted(set(heights)) == [0.8, 0.9]
    labels = [text.get_text() for text in scores.get_legend().get_texts()]
    assert "the report's own figure" in labels
    assert "72 test images" in figure.get_suptitle()


def predict(splits, wrong: int) -> pd.DataFrame:
    """Predict every image rightly but the first ones of the test set."""
    table = splits[["image_id", "split", "label"]].assign(predicted=splits["label"])
    test = table.index[table["split"] == "test"]
    table.loc[test[:wrong], "predicted"] = "another"
    return table.sample(frac=1, random_state=0)


def test_pairs_of_backbones_are_tested_on_the_same_test_images(splits, class_names):
    elsewhere = predict(splits[splits["image_id"] != splits["image_id"].iloc[-1]], 3)
    predictions = [predict(splits, 0), predict(splits, 20), None, predict(splits, 1), elsewhere]
    pairs = compare_predictions(splits, EvaluationOptions(resamples=200), 1, *predictions)
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        ["resnet50", "vgg16"],
        ["resnet50", "mobilenet_v2"],
        ["vgg16", "mobilenet_v2"],
    ]
    assert pairs["real"].tolist() == [True, False, True]
    assert pairs["difference"].tolist() == pytest.approx([20 / 24, 1 / 24, -19 / 24])
    figure = draw_comparison(compare_backbones(result("resnet50", 1.0), result("vgg16", 0.2)), pairs)
    assert "resnet50 over vgg16 (+0.833)" in figure.get_supxlabel().replace("\n", " ")


def test_one_backbone_is_compared_with_none(splits):
    pairs = compare_predictions(splits, EvaluationOptions(), 1, predict(splits, 2), *[None] * 4)
    assert pairs.empty
    assert np.isin(["difference", "p_holm", "real"], pairs.columns).all()
