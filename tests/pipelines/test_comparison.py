import logging

import numpy as np
import pandas as pd
import pytest

from leukoscope.errors import InputError
from leukoscope.images.fingerprint import fingerprint_table
from leukoscope.pipelines.comparison.nodes import compare_backbones, compare_errors, draw_comparison
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


def test_the_figure_has_the_intervals():
    ends = {"test_accuracy_low": 0.85, "test_accuracy_high": 0.94}
    table = compare_backbones(
        result("resnet50", 0.9, **ends), result("vgg16", 0.8, **ends | {"test_accuracy_low": 0.7})
    )
    scores = draw_comparison(table, pd.DataFrame()).subfigs[0].axes[0]
    drawn = [segment for one in scores.collections for segment in one.get_segments()]
    assert [tuple(segment[:, 1].round(6)) for segment in drawn] == [(0.85, 0.94), (0.7, 0.94)]


def wrong(backbone: str, splits, count: int) -> dict:
    errors = splits.loc[splits["split"] == "test", "image_id"].tolist()[:count]
    return result(backbone, 1 - count / 24, test_errors=errors, splits=fingerprint_table(splits))


def test_pairs_of_backbones_are_tested_on_the_same_test_images(splits):
    elsewhere = result("inception_v3", 0.9, test_errors=[], splits="b")
    results = [
        wrong("resnet50", splits, 0),
        wrong("vgg16", splits, 20),
        None,
        wrong("mobilenet_v2", splits, 1),
        elsewhere,
    ]
    pairs = compare_errors(splits, EvaluationOptions(resamples=200), 1, *results)
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        ["resnet50", "vgg16"],
        ["resnet50", "mobilenet_v2"],
        ["vgg16", "mobilenet_v2"],
    ]
    assert pairs["real"].tolist() == [True, False, True]
    assert pairs["difference"].tolist() == pytest.approx([20 / 24, 1 / 24, -19 / 24])
    table = compare_backbones(*results)
    assert "test_errors" not in table
    words = draw_comparison(table, pairs).get_supxlabel().replace("\n", " ")
    assert "resnet50 over vgg16 (+0.833), mobilenet_v2 over vgg16 (+0.792)" in words


def test_one_backbone_is_compared_with_none(splits):
    pairs = compare_errors(splits, EvaluationOptions(), 1, wrong("resnet50", splits, 2), *[None] * 4)
    assert pairs.empty
    older = {name: value for name, value in wrong("vgg16", splits, 2).items() if name != "test_errors"}
    assert compare_errors(splits, EvaluationOptions(), 1, wrong("resnet50", splits, 2), older).empty
    assert np.isin(["difference", "group_p_holm", "real"], pairs.columns).all()
