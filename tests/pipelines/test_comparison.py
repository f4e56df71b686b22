import logging

import numpy as np
import pandas as pd
import pytest

from figure_parts import list_intervals
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation.compatibility import RESULT_FORMAT, RESULT_PARTS
from leukoscope.images.circumstances import VERSION
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.pipelines.audit.options import AuditOptions
from leukoscope.pipelines.collect.nodes import collect_results
from leukoscope.pipelines.comparison import nodes
from leukoscope.pipelines.comparison.nodes import compare_errors, draw_comparison, judge_colour
from leukoscope.pipelines.evaluation.options import EvaluationOptions

PRESENT = pd.DataFrame({"image_id": ["a"], "split": ["test"]})
BASELINE = {"accuracy": 0.96, "low": 0.91, "high": 0.99, "images": 72, "groups": 40, "errors": []}
BASELINE |= {"splits": fingerprint_table(PRESENT)}


def result(model: str, accuracy: float, **changes) -> dict:
    scores = dict.fromkeys(("train_accuracy", "test_accuracy", "test_macro_f1", "test_auc"), accuracy)
    costs = {"parameters": 2e6, "model_mib": 8.0, "seconds_per_epoch": 20.0, "test_images": 72}
    costs |= {"splits": fingerprint_table(PRESENT), "drawn_images": 0}
    report = {"report_train_accuracy": 0.98, "report_test_accuracy": 0.97, "report_seconds_per_epoch": None}
    summary = {"model": model, "title": model} | scores | costs | report | changes
    ends = {f"{name}_{end}": None for name in scores for end in ("low", "high")}
    return {name: {} for name in RESULT_PARTS} | {
        "format": RESULT_FORMAT,
        "model": model,
        "title": model,
        "summary": ends | summary,
    }


def compare_models(*results, splits=PRESENT) -> pd.DataFrame:
    return nodes.compare_models(splits, collect_results(*results))


def draw(table, pairs=None, **changes):
    return draw_comparison(table, pd.DataFrame() if pairs is None else pairs, BASELINE | changes)


def test_whatever_has_results_is_compared():
    table = compare_models(result("resnet50", 0.9), None, result("vgg16", 0.8), None, None)
    assert table["model"].tolist() == ["resnet50", "vgg16"]


def test_without_any_results_it_says_what_to_do():
    with pytest.raises(InputError, match="Train one first: `kedro run --pipelines train_"):
        compare_models(None, None)


def test_other_test_sets_are_told_and_left_out_of_the_figure(caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        table = compare_models(result("resnet50", 0.9), result("vgg16", 0.8, splits="b"))
    assert "Other test images, so that figure and page leave them out (column splits): vgg16" in caplog.text
    assert table["model"].tolist() == ["resnet50", "vgg16"]
    assert [one.get_text() for one in draw(table).axes[0].get_yticklabels()] == ["resnet50"]


def test_results_on_other_splits_only_are_not_compared():
    with pytest.raises(InputError, match="All results are of other splits than the present ones: vgg16"):
        compare_models(result("vgg16", 0.8, splits="b"))


def list_labels(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_the_figure_has_our_scores_and_marks_the_reports_figures():
    table = compare_models(result("resnet50", 0.9), result("vgg16", 0.8, report_test_accuracy=None))
    figure = draw(table)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.900", "0.800"] * 4
    assert "the report's own figure" in list_labels(figure)
    assert figure.get_suptitle().replace("\n", " ") == "Models compared on 72 test images of 40 groups"


@pytest.mark.parametrize("drawn", [72, 1, None])
def test_the_reports_figures_do_not_stand_beside_drawn_images_or_images_of_which_nothing_is_recorded(drawn):
    table = compare_models(result("resnet50", 0.9, drawn_images=drawn))
    assert not [name for name in table if name.startswith("report_")]
    assert "the report's own figure" not in list_labels(draw(table))
    assert draw(table).get_suptitle().startswith("Drawn data, no real smears" if drawn else "Models compared")


def test_the_figure_has_the_intervals_as_they_are():
    ends = {"test_accuracy_low": 0.85, "test_accuracy_high": 0.94}
    missing = {"test_accuracy_low": 0.92, "test_accuracy_high": 0.94}
    table = compare_models(result("resnet50", 0.9, **ends), result("vgg16", 0.8, **missing))
    assert [interval[:2] for interval in list_intervals(draw(table).axes[0])] == [(0.85, 0.94), (0.92, 0.94)]


def wrong(model: str, splits, count: int) -> dict:
    errors = splits.loc[splits["split"] == "test", "image_id"].tolist()[:count]
    judged = {"errors": errors, "training": {"splits": fingerprint_table(splits)}}
    return result(model, 1 - count / 24, splits=fingerprint_table(splits)) | judged


def test_pairs_of_models_are_tested_on_the_same_test_images(splits):
    elsewhere = result("inception_v3", 0.9, splits="b") | {"errors": [], "training": {"splits": "b"}}
    results = [
        wrong("resnet50", splits, 0),
        wrong("vgg16", splits, 20),
        None,
        wrong("mobilenet_v2", splits, 1),
        elsewhere,
    ]
    baseline = judge_colour_in(wrong("colour", splits, 20)["errors"], splits)
    pairs = compare_errors(splits, baseline, EvaluationOptions(resamples=200), 1, collect_results(*results))
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        ["resnet50", "vgg16"],
        ["resnet50", "mobilenet_v2"],
        ["vgg16", "mobilenet_v2"],
        ["resnet50", "colour_histogram"],
        ["vgg16", "colour_histogram"],
        ["mobilenet_v2", "colour_histogram"],
    ]
    assert pairs["shown"].tolist() == [True, False, True, True, False, True]
    assert pairs["difference"].tolist() == pytest.approx([20 / 24, 1 / 24, -19 / 24, 20 / 24, 0, 19 / 24])
    table = compare_models(*results, splits=splits)
    words = draw(table, pairs, splits=fingerprint_table(splits)).get_supxlabel().replace("\n", " ")
    assert "resnet50 over vgg16 (+0.833), resnet50 over stain colour alone (+0.833)" in words
    assert "mobilenet_v2 over vgg16 (+0.792)" in words


STUDY = {"first": "resnet50", "second": "vgg16", "difference": 0.4, "real": True, "confidence": 0.95}
STUDY |= {"splitting": "held", "first_recipe": "of resnet50", "second_recipe": "of vgg16"}


def compare_after_study(splits, caplog, study=STUDY, **results) -> pd.DataFrame:
    """Compare two models after a study whose file has one pair."""
    manifest = pd.DataFrame({"image_id": splits["image_id"], "label": splits["label"], "sha256": splits["image_id"]})
    manifest = manifest.assign(status="accepted", group=splits["image_id"])
    found = pd.DataFrame([{"data": fingerprint_manifest(manifest)} | study])
    judged = [wrong("resnet50", splits, 0), wrong("vgg16", splits, 20)]
    for result in judged:
        own = {"recipe": f"of {result['model']}", "splitting": "held"}
        result["summary"] |= own | results.get(result["model"], {})
    baseline = judge_colour_in(wrong("colour", splits, 20)["errors"], splits)
    with caplog.at_level(logging.WARNING, "leukoscope"):
        pairs = compare_errors(splits, baseline, EvaluationOptions(), 1, judged, manifest, found)
    table = compare_models(*judged, splits=splits)
    words = draw(table, pairs, splits=fingerprint_table(splits)).get_supxlabel().replace("\n", " ")
    assert ("resnet50 over vgg16 (+0.833, real over the seeds of a study)" in words) is bool(pairs["real"][0])
    assert not pairs["real"][1:].any()
    return pairs


@pytest.mark.parametrize(
    ("study", "real"),
    [
        ({}, True),
        ({"real": False}, False),
        ({"difference": -0.4}, False),
        (
            {"first": "vgg16", "second": "resnet50", "difference": -0.4}
            | {"first_recipe": "of vgg16", "second_recipe": "of resnet50"},
            True,
        ),
    ],
    ids=["real", "not real there", "the other way", "named the other way"],
)
def test_real_is_only_what_a_study_has_shown_too(splits, caplog, study, real):
    pairs = compare_after_study(splits, caplog, STUDY | study)
    assert bool(pairs["real"][0]) is real
    assert pairs["changed"].tolist() == ["", "", ""]
    assert "The last study" not in caplog.text


@pytest.mark.parametrize(
    ("study", "name"),
    [
        ({"data": "other"}, "the images"),
        ({"splitting": "other"}, "splitting"),
        ({"confidence": 0.9}, "evaluation.confidence"),
        ({"first_recipe": "other"}, "the recipe of resnet50"),
        ({"second_recipe": "other"}, "the recipe of vgg16"),
    ],
)
def test_what_has_changed_since_the_study_is_told_and_nothing_is_real(splits, caplog, study, name):
    pairs = compare_after_study(splits, caplog, STUDY | study)
    assert not pairs["real"].any()
    assert pairs["changed"].tolist() == [name, "", ""]
    assert f"does not say which differences are real here (no longer the same: {name})" in caplog.text


def test_a_model_that_was_trained_otherwise_than_in_the_study_is_told(splits, caplog):
    pairs = compare_after_study(splits, caplog, vgg16={"recipe": "other"}, resnet50={"splitting": "other"})
    assert pairs["changed"][0] == "splitting (not recorded), the recipe of vgg16"
    assert not pairs["real"].any()


def test_a_study_of_an_earlier_version_makes_nothing_real(splits, caplog):
    old = {name: STUDY[name] for name in ("first", "second", "difference", "real")}
    assert not compare_after_study(splits, caplog, old)["real"].any()
    assert (
        "(not recorded: evaluation.confidence, splitting, the recipe of resnet50, the recipe of vgg16): run "
        "`kedro run --pipelines study` again" in caplog.text
    )


def test_a_result_of_an_earlier_version_makes_nothing_real(splits, caplog):
    pairs = compare_after_study(splits, caplog, vgg16={"recipe": None})
    assert not pairs["real"].any()
    assert "(not recorded: the recipe of vgg16)" in caplog.text
    assert "or first `kedro run --pipelines train_vgg16`" in caplog.text


def test_without_a_study_no_difference_is_real(splits):
    results = [wrong("resnet50", splits, 0), wrong("vgg16", splits, 20)]
    pairs = compare_errors(splits, judge_colour_in([], splits), EvaluationOptions(), 1, results)
    assert pairs["shown"].any()
    assert not pairs["real"].any()


def judge_colour_in(errors, splits) -> dict:
    return BASELINE | {"errors": errors, "splits": fingerprint_table(splits)}


def test_one_model_is_compared_with_stain_colour_only(splits):
    baseline = judge_colour_in([], splits)
    pairs = compare_errors(splits, baseline, EvaluationOptions(), 1, [wrong("resnet50", splits, 2)])
    assert pairs[["first", "second"]].to_numpy().tolist() == [["resnet50", "colour_histogram"]]
    assert np.isin(["difference", "group_p_holm", "shown", "groups"], pairs.columns).all()


def test_no_model_on_these_splits_is_compared_with_none(splits):
    pairs = compare_errors(splits, judge_colour_in([], splits), EvaluationOptions(), 1, [])
    assert pairs.empty


def test_stain_colour_is_judged_on_the_same_test_images(smears, splits):
    found = judge_colour(smears, splits, AuditOptions(trees=20), EvaluationOptions(resamples=50), 1)
    assert found["splits"] == fingerprint_table(splits)
    assert (found["accuracy"], found["images"], found["groups"]) == (1.0, 24, 24)
    assert 0.8 < found["low"] < found["high"] == pytest.approx(1)
    assert found["errors"] == []
    wrong_labels = splits.assign(label=splits["label"].where(splits["split"] == "train", "Pro"))
    mistaken = judge_colour(smears, wrong_labels, AuditOptions(trees=20), EvaluationOptions(resamples=50), 1)
    assert mistaken["accuracy"] == 0.25
    assert mistaken["errors"] == splits.query("split == 'test' and label != 'Pro'")["image_id"].tolist()


def test_every_accuracy_is_said_and_drawn_with_what_it_is_worth(caplog):
    table = compare_models(result("resnet50", 0.9, test_accuracy_low=0.85, test_accuracy_high=0.94))
    with caplog.at_level(logging.INFO, "leukoscope"):
        figure = draw(table)
    assert "resnet50: test accuracy 0.900 (0.850 to 0.940); stain colour alone reaches 0.960 (0.910 to 0.990)" in (
        caplog.text
    )
    assert "on the same test images, which are of 40 groups" in caplog.text
    assert "stain colour alone: 0.960" in list_labels(figure)


def test_what_has_no_interval_is_said_and_drawn_without_one(caplog):
    with caplog.at_level(logging.INFO, "leukoscope"):
        draw(compare_models(result("resnet50", 0.9)), low=None, high=None)
    assert "resnet50: test accuracy 0.900; stain colour alone reaches 0.960 on the same" in caplog.text


def test_tests_and_intervals_go_by_groups(splits, smears):
    results = [wrong("resnet50", splits, 0), wrong("vgg16", splits, 8), None, None, None]
    baseline = judge_colour_in([], splits)
    apart = compare_errors(splits, baseline, EvaluationOptions(), 1, collect_results(*results)).iloc[0]
    order = splits["split"].eq("test").cumsum() // 6
    fours = splits.assign(group=np.where(splits["split"] == "test", order.astype(str), splits["group"]))
    regrouped = [one and wrong(one["model"], fours, len(one["errors"])) for one in results]
    together = compare_errors(
        fours, judge_colour_in([], fours), EvaluationOptions(), 1, collect_results(*regrouped)
    ).iloc[0]
    assert apart["group_p"] == pytest.approx(2 / 2**8)
    assert together["group_p"] > 0.2  # eight images of two groups
    assert together["groups"] == 5 < apart["groups"]
    audit, evaluation = AuditOptions(trees=5), EvaluationOptions()
    by_image, by_group = (judge_colour(smears, table, audit, evaluation, 1) for table in (splits, fours))
    assert by_image["accuracy"] == by_group["accuracy"]
    assert by_group["low"] < by_image["low"]


def test_results_of_an_earlier_version_are_left_out(caplog):
    old = {name: value for name, value in result("vgg16", 0.8).items() if name != "format"}
    table = compare_models(result("resnet50", 0.9), old)
    assert table["model"].tolist() == ["resnet50"]
    assert "another version evaluated them: vgg16. Run `kedro run --pipelines evaluation --namespaces vgg16`" in (
        caplog.text
    )
    with pytest.raises(InputError, match="are of another version"):
        compare_models(None, old)


@pytest.mark.parametrize(
    "other",
    [{"format": 2}, {"summary": result("vgg16", 0.8, certificate_version=VERSION - 1)["summary"]}],
    ids=["before restain", "other certificates"],
)
def test_figures_under_other_changes_do_not_stand_in_one_comparison(other, caplog):
    table = compare_models(result("resnet50", 0.9, certificate_version=VERSION), result("vgg16", 0.8) | other)
    assert table["model"].tolist() == ["resnet50"]
    assert "another version evaluated them: vgg16. Run `kedro run --pipelines evaluation --namespaces vgg16`" in (
        caplog.text
    )


def test_a_result_without_certificates_stands_beside_one_with_them():
    table = compare_models(result("resnet50", 0.9, certificate_version=VERSION), result("vgg16", 0.8))
    assert table["model"].tolist() == ["resnet50", "vgg16"]
