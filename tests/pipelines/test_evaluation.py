import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation import feature_table
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.evaluation.conformal import form_prediction_sets, name_sets
from leukoscope.evaluation.metric import list_names
from leukoscope.evaluation.metrics import METRICS
from leukoscope.evaluation.trust import ABSTAINED, UNLIKE, UNSURE
from leukoscope.images import origin
from leukoscope.images.field_checks import CHECKS, check_fields
from leukoscope.pipelines.evaluation import nodes, results
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from made_entries import make_entry

OPTIONS = make_entry("resnet50", published={"test_accuracy": 0.9924})
OPTIONS_OF_EVALUATION = EvaluationOptions(resamples=40, target_error=0.2, unproven_opinions=True, set_confidence=0.7)


@pytest.fixture
def features(splits, rng) -> pd.DataFrame:
    facts, checks = splits[["image_id", "split", "label"]], rng.random((len(splits), len(CHECKS)))
    return feature_table.tabulate(facts.assign(model="a model"), rng.random((len(splits), 4)), checks)


@pytest.fixture
def calibration(predictions, features, splits, class_names) -> dict:
    return nodes.calibrate_predictions(predictions, features, splits, class_names, OPTIONS_OF_EVALUATION)


@pytest.fixture
def opinions(predictions, features, calibration, class_names) -> pd.DataFrame:
    return nodes.form_opinions(predictions, features, calibration, class_names)


@pytest.fixture
def score(predictions, opinions, calibration, class_names):
    def score_on(splits) -> dict:
        options = OPTIONS_OF_EVALUATION
        return nodes.score_predictions(predictions, opinions, calibration, splits, class_names, options, seed=1)

    return score_on


@pytest.fixture
def metrics(score, splits) -> dict:
    return score(splits)


def test_metrics_are_named_by_split_and_figure(predictions, metrics):
    test = predictions[predictions["split"] == "test"]
    assert metrics["test_accuracy"] == pytest.approx((test["label"] == test["predicted"]).mean())
    assert metrics["train_images"] == 112
    assert {"validation_loss", "train_macro_f1", "test_auc", "test_sensitivity_early"} <= metrics.keys()


def test_metrics_are_those_of_the_table(metrics, class_names):
    plain = [name.lower() for name in class_names]
    expected = set()
    for name, row in METRICS.items():
        figures = list_names(name, plain)
        ends = ("", "_low", "_high") if row.measure.interval else ("",)
        expected |= {f"test_{figure}{end}" for figure in figures for end in ends}
        if row.needs in ("", "screening"):
            expected |= {f"{split}_{figure}" for split in ("train", "validation") for figure in figures}
    assert set(metrics) == expected
    assert None not in metrics.values()


def test_a_row_of_the_comparison_has_what_the_table_says(monkeypatch, metrics, summarise):
    before = set(summarise(None))
    monkeypatch.setitem(METRICS, "aurc", replace(METRICS["aurc"], is_compared=True))
    assert set(summarise(None)) - before == {"test_aurc", "test_aurc_low", "test_aurc_high"}


OF_A_CLASS = ("sensitivity", "specificity", "precision", "npv", "f1", "auc", "auprc", "set_coverage")


def test_every_figure_of_the_test_set_has_an_interval(metrics, score, splits):
    names = ["accuracy", "balanced_accuracy", "macro_f1", "weighted_precision", "matthews_correlation", "auc", "loss"]
    names += ["ece", "calibrated_ece", "calibrated_brier", "aurc", "coverage", "selective_error", "unlike", "set_size"]
    names += ["screening_sensitivity", "screening_npv_at_prevalence", "screening_auc", "set_coverage", "set_empty"]
    names += [f"{name}_pre" for name in OF_A_CLASS]
    for name in names:
        assert metrics[f"test_{name}_low"] <= metrics[f"test_{name}"] <= metrics[f"test_{name}_high"], name
    assert metrics["test_accuracy_high"] - metrics["test_accuracy_low"] > 0.1
    alike = score(splits.assign(group="all"))
    assert alike["test_accuracy_low"] is alike["test_accuracy_high"] is None


def test_a_figure_without_errors_is_as_sure_as_its_groups_are_many(score, predictions, splits, class_names):
    right = pd.Index(class_names).get_indexer(predictions["label"])
    columns = [f"probability_{name.lower()}" for name in class_names]
    predictions[columns] = 0.1 + 0.6 * np.eye(4)[right]
    predictions["predicted"] = predictions["label"]
    metrics = score(splits)
    for name, groups in (("accuracy", 24), ("sensitivity_pre", 6), ("specificity_pre", 18)):
        assert metrics[f"test_{name}"] == 1
        low, _ = proportion_confint(groups, groups, 0.05, method="jeffreys")
        assert (metrics[f"test_{name}_low"], metrics[f"test_{name}_high"]) == pytest.approx((low, 1.0))
    assert (metrics["test_groups"], metrics["test_error_groups"]) == (24, 0)


def test_screening_goes_by_one_score_and_its_operating_point(metrics, opinions, calibration, class_names):
    for split in ("validation", "test"):
        rows = opinions[opinions["split"] == split]
        predicted = 1 - rows["probability_benign"] >= calibration["operating_point"]
        ill = rows["label"] != "Benign"
        assert metrics[f"{split}_screening_sensitivity"] == pytest.approx(predicted[ill].mean())
        assert metrics[f"{split}_screening_specificity"] == pytest.approx(1 - predicted[~ill].mean())
        assert metrics[f"{split}_screening_auc"] == pytest.approx(roc_auc_score(ill, 1 - rows["probability_benign"]))
    assert metrics["validation_screening_sensitivity"] >= OPTIONS_OF_EVALUATION.screening_sensitivity


def test_sets_are_formed_of_the_probabilities_as_given(metrics, opinions, predictions, calibration, class_names):
    columns = [f"probability_{name.lower()}" for name in class_names]
    sets = form_prediction_sets(predictions[columns].to_numpy(), calibration["nonconformity"], 0.7)
    assert opinions["prediction_set"].tolist() == name_sets(sets, class_names).tolist()
    test = (predictions["split"] == "test").to_numpy()
    truth = pd.Index(class_names).get_indexer(predictions["label"])
    assert metrics["test_set_coverage"] == pytest.approx(sets[np.arange(len(sets)), truth][test].mean())
    assert metrics["test_set_empty"] == pytest.approx((~sets[test].any(axis=1)).mean())
    given = form_prediction_sets(opinions[columns].to_numpy(), calibration["nonconformity"], 0.7)
    assert (given != sets).any()  # so that the two can be told apart


def test_an_edited_calibration_is_refused(predictions, features, calibration, splits, class_names):
    edited = calibration | {"temperature": calibration["temperature"] * 1.5}
    with pytest.raises(InputError, match="calibration is not as it was learned"):
        nodes.form_opinions(predictions, features, edited, class_names)
    with pytest.raises(InputError, match="learned for the model a model, and is used with another"):
        nodes.form_opinions(predictions, features.assign(model="another"), calibration, class_names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained_on": "another"}, "saw other splits.*Train it again"),
        ({"class_names": ("Benign", "Early")}, "knows the classes Benign, Early, and the parameters say"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(splits, smears, class_names, changes, message):
    fitting = {"trained_on": fingerprint_table(splits), "class_names": tuple(class_names)}
    with pytest.raises(InputError, match=message):
        nodes.predict_splits(SimpleNamespace(**(fitting | changes)), smears, splits, class_names, EvaluationOptions())


def test_opinions_are_calibrated_or_there_is_a_reason_to_abstain(predictions, opinions, calibration, class_names):
    assert opinions["image_id"].tolist() == predictions["image_id"].tolist()
    columns = [f"probability_{name.lower()}" for name in class_names]
    given, calibrated = predictions[columns].to_numpy(), opinions[columns].to_numpy()
    assert calibrated == pytest.approx(apply_temperature(given, calibration["temperature"]))
    abstained = opinions["opinion"] == ABSTAINED
    assert set(opinions.loc[abstained, "reason"].str.partition(":")[0]) == {UNLIKE, UNSURE}
    # The checks are drawn at random, so that each is at times what a field is most unlike the others in.
    assert (
        opinions["reason"].str.startswith(f"{UNLIKE}: ").sum()
        == (opinions["ood_score"] > calibration["ood_limit"]).sum()
    )
    assert set(opinions.loc[~abstained, "reason"]) == {""}
    assert (calibrated[~abstained].max(axis=1) >= calibration["threshold"]).all()
    held = opinions["split"] == "validation"
    assert (opinions.loc[held, "ood_score"] > calibration["ood_limit"]).mean() <= OPTIONS_OF_EVALUATION.false_alarms


def test_trust_is_scored_on_the_test_set(metrics, opinions):
    test = opinions.query("split == 'test'")
    given = test[test["reason"] == ""]
    assert metrics["test_coverage"] == len(given) / 24
    assert metrics["test_selective_error"] == pytest.approx((given["opinion"] != given["label"]).mean())
    assert metrics["test_calibrated_loss"] != metrics["test_loss"]
    assert {"test_ece", "test_calibrated_brier", "test_aurc", "test_set_size", "test_set_coverage_pre"} <= set(metrics)
    assert metrics["test_unlike"] == test["reason"].str.startswith(UNLIKE).mean() > 0


def test_every_image_of_every_split_is_checked(splits, smears, class_names, monkeypatch):
    class Predictor:
        def __init__(self, classifier, batch_size: int) -> None:
            pass

        def predict(self, pixels, rows):
            return np.tile([0.7, 0.1, 0.1, 0.1], (len(rows), 1)), pixels[rows].mean(axis=(1, 2))

    monkeypatch.setattr("leukoscope.inference.predictor.Predictor", Predictor)
    fitting = {"trained_on": fingerprint_table(splits), "class_names": tuple(class_names), "fingerprint": "mine"}
    shuffled = splits.sample(frac=1, random_state=1)
    _, table = nodes.predict_splits(SimpleNamespace(**fitting), smears, shuffled, class_names, EvaluationOptions())
    assert table["label"].tolist() == shuffled["label"].tolist()
    expected = check_fields(smears.pixels, smears.rows(shuffled["image_id"]))
    assert feature_table.select_checks(table) == pytest.approx(expected)
    assert feature_table.select(table).shape == (len(splits), 3)


def test_features_of_an_earlier_version_are_refused(predictions, features, calibration, splits, class_names):
    old = features.drop(columns=["label", "check_log_sharpness"])
    for use in (
        lambda: nodes.calibrate_predictions(predictions, old, splits, class_names, OPTIONS_OF_EVALUATION),
        lambda: nodes.form_opinions(predictions, old, calibration, class_names),
    ):
        with pytest.raises(InputError, match="earlier version, which kept no label, check_log_sharpness"):
            use()


def make_manifest(splits, **facts) -> pd.DataFrame:
    return splits[["label"]].assign(status="accepted", sha256=splits["image_id"], drawn=False).assign(**facts)


@pytest.fixture
def summarise(metrics, splits):
    def summarise_with(stated: bool | None, **facts) -> dict:
        known = make_manifest(splits, **facts), DataSheetOptions(published=stated)
        trained = dict.fromkeys(results._COSTS, 1) | {"recipe_fingerprint": "r"}
        return results.summarise_evaluation(
            metrics, {"test_robust_accuracy": 0.4}, trained, OPTIONS, *known, SplittingOptions()
        )

    return summarise_with


@pytest.fixture
def known(metrics, features, splits) -> list[dict]:
    """Of this model, and of another one that was evaluated after it."""
    manifest = make_manifest(splits, image_id=splits["image_id"])

    def record(model: str) -> dict:
        options = (
            make_entry(model),
            OPTIONS_OF_EVALUATION,
            SplittingOptions(),
        )
        return results.record_evaluation(metrics, features, splits, manifest, *options)

    return [record("resnet50"), record("vgg16") | {"model_fingerprint": "another", "set_coverage": 0.0}]


@pytest.fixture
def display(predictions, opinions, smears, class_names, splits, known) -> dict:
    options = OPTIONS_OF_EVALUATION
    return results.describe_evaluation(predictions, opinions, smears, class_names, options, splits, known, OPTIONS)


@pytest.fixture
def result(display, metrics, calibration, summarise) -> dict:
    training = {"splits": 1}
    summary = summarise(True)
    table = pd.DataFrame({"epoch": [1], "unit": [np.nan]})
    return results.gather_result(summary, display, metrics, calibration, training, table, table, table)


def test_the_result_marks_the_published_figures_as_the_reports(result, metrics):
    assert result["summary"]["test_accuracy"] == metrics["test_accuracy"]
    assert result["summary"]["report_test_accuracy"] == result["training"]["report_test_accuracy"] == 0.9924
    assert result["summary"]["report_train_accuracy"] is None
    assert result["summary"]["test_robust_accuracy"] == 0.4


def test_the_published_figures_are_of_the_published_images_only(summarise, monkeypatch, splits):
    assert not [name for name in summarise(None) if name.startswith("report_")]
    drawn = summarise(None, drawn=True)
    assert (drawn["drawn_images"], drawn["accepted_images"]) == (160, 160)
    assert "report_test_accuracy" not in drawn
    with pytest.raises(InputError, match="drew 160 of the 160"):
        summarise(True, drawn=True)
    listed = dict(zip(splits["image_id"], splits["label"], strict=True))
    monkeypatch.setattr(origin, "_list_published", lambda: listed)
    recognised = summarise(None)
    assert (recognised["report_test_accuracy"], recognised["drawn_images"]) == (0.9924, 0)
    assert "report_test_accuracy" not in summarise(False)


def test_features_say_which_images_are_drawn(splits, smears, class_names, monkeypatch):
    class Predictor:
        def __init__(self, *arguments) -> None:
            pass

        def predict(self, pixels, rows):
            return np.full((len(rows), 4), 0.25), np.ones((len(rows), 2))

    monkeypatch.setattr("leukoscope.inference.predictor.Predictor", Predictor)
    smears.records["drawn"] = smears.records["image_id"].str.startswith("Pro/")
    facts = {"trained_on": fingerprint_table(splits), "class_names": tuple(class_names), "fingerprint": "f"}
    shuffled = smears.records.sample(frac=1, random_state=1)
    for records, expected in ((shuffled, 40), (shuffled.drop(columns="drawn"), 0)):
        smears.records = records
        table = nodes.predict_splits(SimpleNamespace(**facts), smears, splits, class_names, EvaluationOptions())[1]
        assert table.loc[table["drawn"].eq(True), "image_id"].str.startswith("Pro/").sum() == expected
        assert table["drawn"].isna().all() == (not expected)
        assert feature_table.select(table).shape == (160, 2)


def test_the_result_can_be_kept_and_shows_the_errors_of_the_test_set(result, metrics):
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["robustness"] == [{"epoch": 1, "unit": None}]
    assert len(result["errors"]) == round((1 - metrics["test_accuracy"]) * 24) > 0
    assert np.sum(result["confusion"]) == 24
    assert np.trace(result["confusion"]) == 24 - len(result["errors"])
    sure = [one["confidence"] for one in result["failures"]]
    assert sure == sorted(sure, reverse=True)
    assert {one["image_id"] for one in result["failures"]} <= set(result["errors"])
    assert len(result["failures"]) == min(OPTIONS_OF_EVALUATION.worst_errors, len(result["errors"]))
    assert all(one["picture"].startswith("data:image/jpeg;base64,") for one in result["failures"])
    assert result["benign_class"] == "Benign"
    assert result["looks"] == 2
    assert result["strictest"]["set_coverage"] == metrics["test_set_coverage"]
    assert result["strictest"]["present"]


def test_what_is_traced_is_what_scikit_learn_and_the_metrics_say(result, metrics, class_names):
    for name in class_names:
        curve = result["roc"][name]
        assert auc(curve["false_positive"], curve["true_positive"]) == pytest.approx(
            metrics[f"test_auc_{name.lower()}"], abs=1e-4
        )
    assert sum(result["reliability"]["as_given"]["images"]) == 24
    assert result["risk"]["coverage"][-1] == 1
