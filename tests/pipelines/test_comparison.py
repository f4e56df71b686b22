import logging

import numpy as np
import pandas as pd
import pytest

from leukoscope.errors import InputError
from leukoscope.images.fingerprint import fingerprint_table
from leukoscope.pipelines.comparison.nodes import compare_backbones, compare_errors, draw_comparison
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions


def result(backbone: str, accuracy: float, **changes) -> dict:
    scores = dict.fromkeys(("train_accuracy", "test_accuracy", "test_macro_f1", "test_auc"), accuracy)
    costs = {"parameters": 2e6, "model_mib": 8.0, "seconds_per_epoch": 20.0, "test_images": 72, "splits": "a"}
    report = {"report_train_accuracy": 0.98, "report_test_accuracy": 0.97, "report_seconds_per_epoch": None}
    summary = {"backbone": backbone, "title": backbone} | scores | costs | report | changes
    ends = {f"{name}_{end}": None for name in scores for end in ("low", "high")}
    return {"backbone": backbone, "title": backbone, "summary": ends | summary}


def draw(table, pairs=None, audit=None, group_by="duplicate"):
    differences = pd.DataFrame() if pairs is None else pairs
    return draw_comparison(table, differences, audit, SplittingOptions(group_by=group_by))


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
    figure = draw(table)
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
    scores = draw(table).subfigs[0].axes[0]
    drawn = [segment for one in scores.collections for segment in one.get_segments() if len(segment)]
    assert [tuple(segment[:, 1].round(6)) for segment in drawn] == [(0.85, 0.94), (0.7, 0.94)]


def wrong(backbone: str, splits, count: int) -> dict:
    errors = splits.loc[splits["split"] == "test", "image_id"].tolist()[:count]
    judged = {"errors": errors, "training": {"splits": fingerprint_table(splits)}}
    return result(backbone, 1 - count / 24, splits=fingerprint_table(splits)) | judged


def test_pairs_of_backbones_are_tested_on_the_same_test_images(splits):
    elsewhere = result("inception_v3", 0.9, splits="b") | {"errors": [], "training": {"splits": "b"}}
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
    words = draw(table, pairs).get_supxlabel().replace("\n", " ")
    assert "resnet50 over vgg16 (+0.833), mobilenet_v2 over vgg16 (+0.792)" in words


def test_one_backbone_is_compared_with_none(splits):
    pairs = compare_errors(splits, EvaluationOptions(), 1, wrong("resnet50", splits, 2), *[None] * 4)
    assert pairs.empty
    assert np.isin(["difference", "group_p_holm", "real"], pairs.columns).all()


AUDIT = pd.DataFrame(
    {
        "protocol": ["duplicate", "look", "look"],
        "predictor": ["colour_histogram", "colour_histogram", "border"],
        "accuracy": [0.99, 0.96, 0.97],
    }
)


@pytest.mark.parametrize(("group_by", "reached"), [("duplicate", 0.99), ("look", 0.96)])
def test_every_accuracy_is_said_and_drawn_with_what_it_is_worth(caplog, group_by, reached):
    table = compare_backbones(result("resnet50", 0.9, test_accuracy_low=0.85, test_accuracy_high=0.94))
    with caplog.at_level(logging.INFO, "leukoscope"):
        figure = draw(table, audit=AUDIT, group_by=group_by)
    assert "resnet50: test accuracy 0.900 (0.850 to 0.940)" in caplog.text
    assert f"stain colour alone reaches {reached:.3f} on these images, {group_by}-disjoint" in caplog.text
    labels = [text.get_text() for text in figure.subfigs[0].axes[0].get_legend().get_texts()]
    assert f"stain colour alone, {group_by}-disjoint: {reached:.3f}" in labels


@pytest.mark.parametrize("audit", [None, AUDIT])
def test_without_an_audit_of_these_splits_it_says_how_to_make_one(caplog, audit):
    with caplog.at_level(logging.INFO, "leukoscope"):
        draw(compare_backbones(result("resnet50", 0.9)), audit=audit, group_by="table")
    assert "resnet50: test accuracy 0.900; what that is worth is not known before" in caplog.text
